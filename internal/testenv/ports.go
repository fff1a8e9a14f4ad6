package testenv

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// A portBlock is a run of TCP ports on loopback that no other server started
// by this package uses, in this process or another. The first port of the
// block is held open as the mark that the block is taken, so the others stay
// free over a restart, and a killed process gives its block back.
//
// Blocks lie below the range from which systems take the ports of outgoing
// connections.
type portBlock struct {
	guard net.Listener
	base  int
	size  int
}

// port is the i-th usable port of the block, from 0.
func (b *portBlock) port(i int) int { return b.base + 1 + i }

// last is the block's last port.
func (b *portBlock) last() int { return b.base + b.size - 1 }

func (b *portBlock) release() { _ = b.guard.Close() }

// reservePorts takes a block of size ports between from and to whose first
// use ports nobody listens on.
func reservePorts(from, to, size, use int) (*portBlock, error) {
	blocks := (to - from) / size
	start := rand.IntN(blocks)
	var last error
	for i := range blocks {
		block := &portBlock{base: from + (start+i)%blocks*size, size: size}
		guard, err := net.Listen("tcp", loopback(block.base))
		if err != nil {
			last = err
			continue
		}
		block.guard = guard
		if err := portsFree(block, use); err != nil {
			block.release()
			last = err
			continue
		}
		return block, nil
	}
	return nil, fmt.Errorf("find %d free ports between %d and %d: %w", size, from, to, last)
}

func portsFree(block *portBlock, use int) error {
	var errs []error
	for i := range use {
		l, err := net.Listen("tcp", loopback(block.port(i)))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

func loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// Ports are n TCP ports for a test's own servers. Nobody who asks here gets
// them too before the test ends.
func Ports(t testing.TB, n int) []int {
	t.Helper()
	block, err := reservePorts(10000, 14000, n+1, n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(block.release)
	ports := make([]int, n)
	for i := range ports {
		ports[i] = block.port(i)
	}
	return ports
}
