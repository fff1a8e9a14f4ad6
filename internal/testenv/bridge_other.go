//go:build !linux

package testenv

import (
	"errors"
	"fmt"
	"net/netip"
)

type bridge struct{}

// newBridge always fails: containers run on Linux.
func newBridge(name string, _ netip.Prefix) (*bridge, error) {
	return nil, fmt.Errorf("make the bridge %s: %w", name, errors.ErrUnsupported)
}

func (*bridge) remove() error { return nil }
