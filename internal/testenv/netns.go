package testenv

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"testing"
)

// A PrivateNet is a network that this machine does not reach: servers in it
// answer each other, and those that are asked by its Dial. On this machine
// packets to its addresses vanish, as behind a firewall that says nothing.
type PrivateNet struct {
	// Name is the name of its network namespace.
	Name string
	// IP is the address that its servers have.
	IP string

	number int
	block  *portBlock
}

// NewPrivateNet makes a network that is removed when the test ends. It takes
// Linux and root; elsewhere the test is skipped, or fails in CI.
//
// hosts are names that stand for IP, for the servers that look at
// /etc/hosts there and for nobody else.
func NewPrivateNet(t testing.TB, hosts ...string) *PrivateNet {
	t.Helper()
	if err := canMakeNets(); err != nil {
		skipUnlessCI(t, fmt.Sprintf("no network of its own for a test: %v", err))
	}
	// The block's place among all is the network's number: no two have the same.
	const first = 13300
	block, err := reservePorts(first, first+250, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := &PrivateNet{number: block.base - first, block: block}
	n.Name = fmt.Sprintf("hrntest%d", n.number)
	// These addresses are for trials within one network.
	n.IP = netip.AddrFrom4([4]byte{198, 19, byte(n.number), 2}).String()
	t.Cleanup(func() {
		if err := n.remove(); err != nil {
			t.Errorf("remove the network %s: %v", n.Name, err)
		}
		block.release()
	})
	if err := n.make(hosts); err != nil {
		t.Fatalf("make the network %s: %v", n.Name, err)
	}
	return n
}

// place is that of servers in this network.
func (n *PrivateNet) place() place {
	return place{host: n.IP, wrap: n.Command, dial: n.Dial}
}

// Dial connects to an address in this network, as a program there would.
func (n *PrivateNet) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return n.dial(ctx, network, addr)
}

// Listen listens on a port of IP until the test ends, 0 for a free one.
func (n *PrivateNet) Listen(t testing.TB, port int) net.Listener {
	t.Helper()
	l, err := n.listen(net.JoinHostPort(n.IP, strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// ZooKeeper runs a ZooKeeper in this network until the test ends. Its Addr is
// IP and a port.
func (n *PrivateNet) ZooKeeper(t testing.TB) *Server {
	t.Helper()
	return ownServer(t, func(ctx context.Context, dir string) (*Server, error) {
		block, err := reservePorts(14000, 16000, 2, 1)
		if err != nil {
			return nil, fmt.Errorf("start ZooKeeper: %w", err)
		}
		return startZooKeeper(ctx, dir, n.place(), block, "")
	})
}

// Nomad runs a Nomad agent in this network until the test ends, and with it
// what its jobs run.
func (n *PrivateNet) Nomad(t testing.TB) *Server {
	t.Helper()
	where := n.place()
	return ownServer(t, func(ctx context.Context, dir string) (*Server, error) {
		return StartNomad(ctx, dir, NomadOptions{where: &where, Config: fmt.Sprintf(`
client {
  network_interface = %q
}
`, innerDevice)})
	})
}

// innerDevice has the address IP in the network's namespace.
const innerDevice = "inner"
