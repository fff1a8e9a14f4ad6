package testenv

import (
	"net"
	"testing"
)

func TestPortBlocksAreNotSharedAndAvoidPortsInUse(t *testing.T) {
	const from, to, size = 13000, 13040, 10
	busy, err := net.Listen("tcp", loopback(from+1)) // the first usable port of the first block
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() })
	bases := map[int]bool{}
	for range 3 {
		block, err := reservePorts(from, to, size, 1)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(block.release)
		if bases[block.base] || block.base == from {
			t.Errorf("block at %d was taken or has a port in use", block.base)
		}
		bases[block.base] = true
	}
	if block, err := reservePorts(from, to, size, 1); err == nil {
		t.Errorf("block at %d although none is left", block.base)
	}
}
