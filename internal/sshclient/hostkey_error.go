package sshclient

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// KeyProblem is what is wrong with a host's key.
type KeyProblem string

// The problems.
const (
	KeyUnknown     KeyProblem = "unknown"
	KeyChanged     KeyProblem = "changed"
	KeyRevoked     KeyProblem = "revoked"
	KeyCertificate KeyProblem = "certificate"
)

// HostKeyError is a host that does not prove to be the one that is known. It
// wraps ErrHostKey.
type HostKeyError struct {
	Problem KeyProblem
	// Host is what was connected to. Type and Fingerprint (SHA256:...) are
	// those of the key that it shows, "" where it shows none of a known type.
	Host, Type, Fingerprint string
	// Known is where the key stands that is known: file:line, or several.
	Known string
	// File is the known_hosts file that a key would go to, "" for none.
	File string

	// name is the host's for known_hosts, scan the command that asks for its
	// key.
	name, scan string
	aliased    bool
	reason     string
}

// Unwrap makes it ErrHostKey.
func (e *HostKeyError) Unwrap() error { return ErrHostKey }

func (e *HostKeyError) Error() string {
	shown := "shows none of a known type"
	if e.Fingerprint != "" {
		shown = fmt.Sprintf("shows the %s key %s", e.Type, e.Fingerprint)
	}
	switch e.Problem {
	case KeyChanged:
		return fmt.Sprintf("connect to %s: %v: the host %s, another than the one in %s; "+
			"somebody may be in between, or the host got a new key: ask who runs it, then forget the old key with\n  %s\nand accept the new one with\n  %s",
			e.Host, ErrHostKey, shown, e.Known, e.forget(), e.accept())
	case KeyRevoked:
		return fmt.Sprintf("connect to %s: %v: the host %s, which is revoked in %s; do not use this host before it has another key",
			e.Host, ErrHostKey, shown, e.Known)
	case KeyCertificate:
		return fmt.Sprintf("connect to %s: %v: the host shows a certificate of the key %s that is not good: %s",
			e.Host, ErrHostKey, e.Fingerprint, e.reason)
	}
	return fmt.Sprintf("connect to %s: %v: the host %s, which is not known; "+
		"if that is the fingerprint its administrator names, accept it with\n  %s",
		e.Host, ErrHostKey, shown, e.accept())
}

// accept is the command that makes the host's key known.
func (e *HostKeyError) accept() string {
	file := e.File
	if file == "" {
		file = "FILE"
	}
	if e.aliased {
		return fmt.Sprintf("%s | sed 's/^[^ ]*/%s/' >> %s", e.scan, e.name, quote(file))
	}
	return e.scan + " >> " + quote(file)
}

// forget is the command that drops the key that is known.
func (e *HostKeyError) forget() string {
	var commands []string
	for place := range strings.SplitSeq(e.Known, ", ") {
		file := place[:max(strings.LastIndexByte(place, ':'), 0)]
		command := "ssh-keygen -R " + quote(e.name) + " -f " + quote(file)
		if len(commands) == 0 || commands[len(commands)-1] != command {
			commands = append(commands, command)
		}
	}
	return strings.Join(commands, "\n  ")
}

// failed makes the error for a key that the host shows.
func (k *knownHosts) failed(key ssh.PublicKey, problem KeyProblem, known string) *HostKeyError {
	e := &HostKeyError{Problem: problem, Host: k.l.String(), Known: known, File: k.l.file()}
	e.name, e.aliased = knownhosts.Normalize(k.l.keyName), k.l.keyName != strings.ToLower(k.l.address())
	e.scan = "ssh-keyscan -p " + k.l.port + " -H " + quote(k.l.host)
	if e.aliased {
		e.scan = "ssh-keyscan -p " + k.l.port + " " + quote(k.l.host)
	}
	if n := len(k.l.jumps); n > 0 {
		// Only the jump host reaches it.
		e.scan = "ssh " + quote(k.l.jumps[n-1]) + " " + e.scan
	}
	if key != nil {
		if cert, ok := key.(*ssh.Certificate); ok {
			key = cert.Key
		}
		e.Type, e.Fingerprint = key.Type(), ssh.FingerprintSHA256(key)
	}
	return e
}

// otherTypes is the error for a host that has no key of the types that are
// known for it any more.
func (k *knownHosts) otherTypes(offered []string) error {
	known := k.keys
	known = append(known, k.bare...)
	known = append(known, k.authorities...)
	e := k.failed(nil, KeyChanged, k.where(known))
	e.reason = "it offers " + strings.Join(offered, ", ")
	return e
}
