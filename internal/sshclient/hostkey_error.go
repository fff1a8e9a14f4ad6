package sshclient

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/heron-nomad/heron/internal/sshclient/sshconfig"
)

// KeyProblem is what is wrong with a host's key.
type KeyProblem string

// The problems.
const (
	KeyUnknown     KeyProblem = "unknown"
	KeyChanged     KeyProblem = "changed"
	KeyRevoked     KeyProblem = "revoked"
	KeyCertificate KeyProblem = "certificate"
	KeyWeak        KeyProblem = "weak"
)

// HostKeyError is a host that does not prove to be the known one. It wraps
// ErrHostKey.
type HostKeyError struct {
	Problem KeyProblem
	// Host is what was connected to. Type and Fingerprint (SHA256:...) are
	// those of the key that it shows, "" if it shows none of a known type.
	Host, Type, Fingerprint string
	// Known is where the known key is: file:line, or several.
	Known string
	// File is the known_hosts file for new keys, "" for none.
	File string

	// name is the host's name in known_hosts, scan the command that asks for
	// its key.
	name, scan string
	aliased    bool
	reason     string
	// command: KnownHostsCommand is configured and was not run.
	command bool
}

// Unwrap makes it ErrHostKey.
func (e *HostKeyError) Unwrap() error { return ErrHostKey }

// Error implements error.
func (e *HostKeyError) Error() string {
	shown := "shows no key of a known type"
	if e.Fingerprint != "" {
		shown = fmt.Sprintf("shows the %s key %s", e.Type, e.Fingerprint)
	}
	text := fmt.Sprintf("connect to %s: %v: the host %s", e.Host, ErrHostKey, shown)
	if e.Problem != KeyRevoked && e.reason != "" && e.Fingerprint == "" {
		text += " (" + e.reason + ")"
	}
	switch e.Problem {
	case KeyChanged:
		return text + fmt.Sprintf(", but the known key, in %s, is another one; someone may be intercepting the connection, or the host has a new key: "+
			"ask its administrator, then remove the old key with\n  %s\nand accept the new one with\n  %s", e.Known, e.forget(), e.accept())
	case KeyRevoked:
		return text + fmt.Sprintf(", which is revoked in %s; do not use this host until it has another key", e.Known)
	case KeyWeak:
		return text + ", which is too weak: " + e.reason
	case KeyCertificate:
		return text + ", with a certificate that is not valid: " + e.reason
	}
	if e.command {
		text += "; KnownHostsCommand is not run here, because no programs are started; this key"
	} else {
		text += ", which"
	}
	return text + fmt.Sprintf(" is not known; if its administrator confirms this fingerprint, accept it with\n  %s", e.accept())
}

// accept is the command that makes the host's key known.
func (e *HostKeyError) accept() string {
	file := e.File
	if file == "" {
		file = "FILE"
	}
	if e.aliased {
		return fmt.Sprintf("%s | sed 's/^[^ ]*/%s/' >> %s", e.scan, e.name, sshconfig.Quote(file))
	}
	return e.scan + " >> " + sshconfig.Quote(file)
}

// forget is the command that removes the known key.
func (e *HostKeyError) forget() string {
	var commands []string
	for place := range strings.SplitSeq(e.Known, ", ") {
		file := place[:max(strings.LastIndexByte(place, ':'), 0)]
		command := "ssh-keygen -R " + sshconfig.Quote(e.name) + " -f " + sshconfig.Quote(file)
		if len(commands) == 0 || commands[len(commands)-1] != command {
			commands = append(commands, command)
		}
	}
	return strings.Join(commands, "\n  ")
}

// failed makes the error for a key that the host shows.
func (k *knownHosts) failed(key ssh.PublicKey, problem KeyProblem, known string) *HostKeyError {
	e := &HostKeyError{Problem: problem, Host: k.l.String(), Known: known, File: k.l.file(), command: k.l.KnownHostsCommand}
	e.name, e.aliased = k.l.KeyName, k.l.HostKeyAlias != ""
	e.scan = "ssh-keyscan -p " + k.l.Port + " -H " + sshconfig.Quote(k.l.HostName)
	if e.aliased {
		e.scan = "ssh-keyscan -p " + k.l.Port + " " + sshconfig.Quote(k.l.HostName)
	}
	if n := len(k.l.Jumps); n > 0 {
		// Only the jump host reaches it.
		e.scan = "ssh " + sshconfig.Quote(k.l.Jumps[n-1]) + " " + e.scan
	}
	if key != nil {
		if cert, ok := key.(*ssh.Certificate); ok {
			key = cert.Key
		}
		e.Type, e.Fingerprint = key.Type(), ssh.FingerprintSHA256(key)
	}
	return e
}

// otherTypes is the error for a host that no longer has a key of the types that
// are known for it.
func (k *knownHosts) otherTypes(offered []string) error {
	known := slices.DeleteFunc(slices.Clone(k.named), func(k knownKey) bool { return k.marker == "revoked" })
	e := k.failed(nil, KeyChanged, places(known))
	e.reason = "it offers " + strings.Join(offered, ", ")
	return e
}
