package zookeeper

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// refusalPatience is for how long servers may refuse connections at first. It
// outlasts a moment without a network, but not a restart of the servers.
const refusalPatience = 700 * time.Millisecond

// streak is a row of refusals by one server, with nothing else in between.
type streak struct {
	times       int
	first, last time.Time
}

func (s streak) longer(now time.Time) streak {
	if s.times == 0 {
		s.first = now
	}
	return streak{times: s.times + 1, first: s.first, last: now}
}

// isRefusal reports whether an attempt to connect failed because nothing listens
// at the address, or because there is no such address. A dialer's error may know
// it by a method Refused.
func isRefusal(err error) bool {
	for _, e := range []error{syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH} {
		if errors.Is(err, e) {
			return true
		}
	}
	var name *net.DNSError
	if errors.As(err, &name) {
		return name.IsNotFound
	}
	var told interface{ Refused() bool }
	return errors.As(err, &told) && told.Refused()
}
