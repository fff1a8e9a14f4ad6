//go:build !linux

package testenv

import (
	"errors"
	"net"
)

// HasConnection cannot tell here.
func HasConnection(int, *net.TCPAddr) (bool, error) {
	return false, errors.New("whose a connection is can only be told on Linux")
}
