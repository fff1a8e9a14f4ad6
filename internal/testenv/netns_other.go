//go:build !linux

package testenv

import (
	"context"
	"errors"
	"net"
)

func canMakeNets() error { return errors.ErrUnsupported }

func (n *PrivateNet) make([]string) error { return errors.ErrUnsupported }

func (n *PrivateNet) remove() error { return nil }

// Command never runs anything here.
func (n *PrivateNet) Command(argv []string) []string { return argv }

// NamedCommand never runs anything here.
func (n *PrivateNet) NamedCommand(argv []string) []string { return argv }

func (n *PrivateNet) dial(context.Context, string, string) (net.Conn, error) {
	return nil, errors.ErrUnsupported
}

func (n *PrivateNet) listen(string) (net.Listener, error) { return nil, errors.ErrUnsupported }
