package testenv

import (
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A bridge is a network device that connects containers with this machine and
// nothing else.
type bridge struct {
	name string
	addr netip.Prefix
}

// newBridge makes the device, which takes root. One of its name that somebody
// left is removed first.
func newBridge(name string, addr netip.Prefix) (*bridge, error) {
	b := &bridge{name: name, addr: addr}
	if err := b.remove(); err != nil {
		return nil, err
	}
	if err := b.bridgeCall(unix.SIOCBRADDBR); err != nil {
		return nil, fmt.Errorf("make the bridge %s: %w", name, err)
	}
	if err := b.configure(); err != nil {
		return nil, errors.Join(fmt.Errorf("set up the bridge %s: %w", name, err), b.remove())
	}
	return b, nil
}

// configure gives the device its address and turns it on.
func (b *bridge) configure() error {
	bits := ^uint32(0) << (32 - b.addr.Bits())
	mask := []byte{byte(bits >> 24), byte(bits >> 16), byte(bits >> 8), byte(bits)}
	if err := b.setAddr(unix.SIOCSIFADDR, b.addr.Addr().AsSlice()); err != nil {
		return err
	}
	if err := b.setAddr(unix.SIOCSIFNETMASK, mask); err != nil {
		return err
	}
	return b.setFlags(unix.IFF_UP)
}

// remove deletes the device, if it is there.
func (b *bridge) remove() error {
	err := b.setFlags(0)
	if err == nil {
		err = b.bridgeCall(unix.SIOCBRDELBR)
	}
	if err != nil && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.ENXIO) {
		return fmt.Errorf("remove the bridge %s: %w", b.name, err)
	}
	return nil
}

func (b *bridge) setAddr(request uint, ip []byte) error {
	return b.with(func(fd int, r *unix.Ifreq) error {
		if err := r.SetInet4Addr(ip); err != nil {
			return err
		}
		return unix.IoctlIfreq(fd, request, r)
	})
}

func (b *bridge) setFlags(flags uint16) error {
	return b.with(func(fd int, r *unix.Ifreq) error {
		r.SetUint16(flags)
		return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
	})
}

// bridgeCall makes a request that takes the bare name of a bridge.
func (b *bridge) bridgeCall(request uint) error {
	name, err := unix.BytePtrFromString(b.name)
	if err != nil {
		return err
	}
	return b.with(func(fd int, _ *unix.Ifreq) error {
		//nolint:gosec // the kernel reads the name during the call
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(unsafe.Pointer(name)))
		if errno != 0 {
			return errno
		}
		return nil
	})
}

// with runs f with a socket and a request about the device.
func (b *bridge) with(f func(fd int, r *unix.Ifreq) error) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq(b.name)
	if err != nil {
		return err
	}
	return f(fd, r)
}
