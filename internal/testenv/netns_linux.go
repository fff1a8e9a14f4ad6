package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	namespaces = "/run/netns"
	// perNamespace holds files that ip lays over those of /etc, by namespace.
	perNamespace = "/etc/netns"
)

func canMakeNets() error {
	if os.Getuid() != 0 {
		return errors.New("only root can")
	}
	for _, tool := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%w; apt-get install iproute2 util-linux", err)
		}
	}
	return nil
}

// make makes the namespace, its device and its names, and on this machine a
// device in which packets to its addresses end. A network of its name that
// somebody left is removed first.
func (n *PrivateNet) make(hosts []string) error {
	if err := n.remove(); err != nil {
		return err
	}
	// Programs in it take the machine's name for theirs.
	machine, err := os.Hostname()
	if err != nil {
		return err
	}
	text := "127.0.0.1 localhost\n" + n.IP + " " + strings.Join(append(hosts, machine), " ") + "\n"
	dir := filepath.Join(perNamespace, n.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // as /etc is
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "hosts"), []byte(text), 0o644); err != nil { //nolint:gosec // as /etc/hosts is
		return err
	}
	// A bridge without ports is a device that every kernel here can make.
	subnet := strings.TrimSuffix(n.IP, ".2") + ".0/24"
	for _, command := range []string{
		"netns add " + n.Name,
		"-n " + n.Name + " link set lo up",
		"-n " + n.Name + " link add " + innerDevice + " type bridge",
		"-n " + n.Name + " addr add " + n.IP + "/24 dev " + innerDevice,
		"-n " + n.Name + " link set " + innerDevice + " up",
		"link add " + n.hole() + " type bridge",
		"link set " + n.hole() + " up",
		"route add " + subnet + " dev " + n.hole(),
		// Without address resolution, no reply says that no host has the address.
		"neigh add " + n.IP + " lladdr 02:00:00:00:00:02 dev " + n.hole() + " nud permanent",
	} {
		if err := ip(command); err != nil {
			return err
		}
	}
	return nil
}

// hole is the device on this machine.
func (n *PrivateNet) hole() string { return fmt.Sprintf("hrnhole%d", n.number) }

// remove removes everything that is there.
func (n *PrivateNet) remove() error {
	var errs []error
	if _, err := net.InterfaceByName(n.hole()); err == nil {
		errs = append(errs, ip("link del "+n.hole()))
	}
	if _, err := os.Stat(filepath.Join(namespaces, n.Name)); err == nil {
		errs = append(errs, ip("netns del "+n.Name))
	}
	dir := filepath.Join(perNamespace, n.Name)
	errs = append(errs, os.RemoveAll(dir))
	// Of nobody else's making if it is empty, or not there.
	_ = os.Remove(perNamespace)
	return errors.Join(errs...)
}

func ip(command string) error {
	out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput() //nolint:gosec // ours
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", command, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Command makes a command line one that runs in this network. It shares files
// and processes with everybody.
func (n *PrivateNet) Command(argv []string) []string {
	return append([]string{"nsenter", "--net=" + filepath.Join(namespaces, n.Name), "--"}, argv...)
}

// NamedCommand is Command for a program that is to know the names of this
// network: it sees another /etc/hosts.
func (n *PrivateNet) NamedCommand(argv []string) []string {
	return append([]string{"ip", "netns", "exec", n.Name}, argv...)
}

// dial makes the socket in the namespace; it stays where it was made. With an
// address and not a name all of that is done on one thread.
func (n *PrivateNet) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := net.Dialer{FallbackDelay: -1}
	return inside(n, func() (net.Conn, error) { return dialer.DialContext(ctx, network, addr) })
}

func (n *PrivateNet) listen(addr string) (net.Listener, error) {
	return inside(n, func() (net.Listener, error) { return net.Listen("tcp", addr) })
}

// inside runs f on a thread that is in the namespace.
func inside[T any](n *PrivateNet, f func() (T, error)) (T, error) {
	var (
		result T
		err    error
		done   = make(chan struct{})
	)
	go func() {
		defer close(done)
		// The thread is not given back: it ends with the goroutine.
		runtime.LockOSThread()
		if err = n.enter(); err == nil {
			result, err = f()
		}
	}()
	<-done
	return result, err
}

// enter puts the calling thread into the namespace.
func (n *PrivateNet) enter() error {
	path := filepath.Join(namespaces, n.Name)
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter %s: %w", path, err)
	}
	return nil
}
