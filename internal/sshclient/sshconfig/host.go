package sshconfig

import (
	"net"
	"time"
)

// Host is everything that options and files say about one host. All file names
// are complete: their ~, tokens and environment variables are replaced.
type Host struct {
	// Alias is the host as it was asked for. User logs in at HostName, a name
	// or an address, on Port, a number.
	Alias, User, HostName, Port string
	// Network is the one to dial: "tcp", "tcp4" or "tcp6".
	Network string
	// BindAddress and BindInterface say where connections come from; "" is
	// anywhere.
	BindAddress, BindInterface string
	// Jumps are the hosts on the way, in order. ResolveJump reads about them.
	Jumps []string

	// ConnectTimeout bounds one attempt; 0 if none is configured.
	ConnectTimeout time.Duration
	// AliveInterval is how often the host is asked for a sign of life, 15 s
	// unless configured, 0 for never; after AliveCountMax questions without an
	// answer the connection is dead.
	AliveInterval time.Duration
	AliveCountMax int

	// Identities are files of private or public keys, Certificates those of
	// certificates, in the order in which to try them.
	Identities   []Identity
	Certificates []string
	// Missing are identities of the command line that are not there, each with
	// the reason.
	Missing []string
	// OnlyIdentities: of the agent's keys only those that are identities too.
	OnlyIdentities bool
	// Agent is the agent's socket; "" is none.
	Agent string
	// KeyAlgorithms are those that our keys may sign with.
	KeyAlgorithms []string
	// MinRSABits is how long an RSA key must be, the host's and ours.
	MinRSABits int

	// KnownHosts are the user's files, GlobalKnownHosts the system's.
	KnownHosts, GlobalKnownHosts []string
	// RevokedKeys is a file with keys not to accept; "" is none.
	RevokedKeys string
	// KnownHostsCommand: a command for known keys is configured.
	KnownHostsCommand bool
	// HostKeyAlias is the name that is configured for the host's key, "" for
	// none. KeyName is the one to look up: that, or host and port.
	HostKeyAlias, KeyName string
	// AcceptNew: keys of hosts that are not known yet are accepted and kept,
	// their names hashed if HashNames is set.
	AcceptNew, HashNames bool
	// HostKeyAlgorithms are those that a host may prove itself by,
	// CAAlgorithms those that its certificate may be signed with.
	HostKeyAlgorithms, CAAlgorithms []string
	// Ciphers, KeyExchanges and MACs are the algorithms of the connection.
	Ciphers, KeyExchanges, MACs []string

	// config is the file to read about jump hosts instead of the usual ones.
	config string
}

// Identity is a file with a key.
type Identity struct {
	File string
	// Default: nothing is configured, and OpenSSH tries this file then.
	Default bool
}

// Address is the host and port to connect to.
func (h *Host) Address() string { return net.JoinHostPort(h.HostName, h.Port) }

// String says who logs in where.
func (h *Host) String() string {
	if h.Port == "22" {
		return h.User + "@" + h.HostName
	}
	return h.User + "@" + h.Address()
}

// BareKeyName is the name of the host's key without the port, "" if KeyName has
// none.
func (h *Host) BareKeyName() string {
	if h.Port == "22" || h.HostKeyAlias != "" {
		return ""
	}
	return lower(h.HostName)
}
