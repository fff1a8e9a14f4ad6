// Command with-servers runs a command while a real ZooKeeper and a real Nomad
// run for it, and ends with the command's exit code.
//
// The command finds them through HERON_TEST_ZOOKEEPER and HERON_TEST_NOMAD;
// HERON_TEST_ALLOCS is the folder in which Nomad keeps those of containers.
// They are stopped, and their folder removed, however the command ends, also
// when this program is interrupted.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/heron-nomad/heron/internal/testenv"
)

// patience is how long an interrupted command may take to end by itself.
const patience = time.Minute

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: with-servers COMMAND [ARGUMENT...]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code, err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "with-servers:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// run returns the command's exit code. An error is one of the servers, or that
// the command could not be run.
func run(ctx context.Context, argv []string) (code int, err error) {
	dir, err := os.MkdirTemp("", "heron-servers")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	zooKeeper, err := start(ctx, dir, "ZooKeeper", testenv.StartZooKeeper)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, zooKeeper.Stop()) }()
	nomad, err := start(ctx, dir, "Nomad", func(ctx context.Context, dir string) (*testenv.Server, error) {
		return testenv.StartNomad(ctx, dir, testenv.NomadOptions{})
	})
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, nomad.Stop()) }()

	return exitCode(ctx, command(ctx, argv,
		"HERON_TEST_ZOOKEEPER="+zooKeeper.Addr, "HERON_TEST_NOMAD="+nomad.Addr,
		"HERON_TEST_ALLOCS="+filepath.Join(nomad.Dir, "data", "alloc")))
}

// command runs a command and, where it leaves processes behind, ends them. On
// a terminal they stay in our process group, for there Ctrl-C reaches them
// without us, and the command may want to read.
func command(ctx context.Context, argv []string, env ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = patience
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
		defer func() {
			if cmd.Process != nil {
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			}
		}()
	}
	return cmd.Run()
}

func start(ctx context.Context, dir, name string,
	run func(context.Context, string) (*testenv.Server, error),
) (*testenv.Server, error) {
	fmt.Fprintln(os.Stderr, "starting", name)
	own := filepath.Join(dir, strings.ToLower(name))
	if err := os.Mkdir(own, 0o700); err != nil {
		return nil, err
	}
	return run(ctx, own)
}

// exitCode is a command's own, or what a shell would say of one that a signal
// ended.
func exitCode(ctx context.Context, err error) (int, error) {
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return 130, nil
	case err == nil:
		return 0, nil
	case !errors.As(err, &exit):
		return 127, err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}
