package conf

import (
	"path/filepath"
	"slices"
	"strings"
)

// SCPUpload is a folder on one or more hosts that are reached by SSH.
type SCPUpload struct {
	// Hosts are "user@host", "host", or the one word "nomad" for every
	// eligible client node ("user@nomad" for a user on each).
	Hosts []string
	// Options are those of scp, SSHOptions those of ssh, as on its command
	// line: -i, -p, -P, -o and so on.
	Options, SSHOptions string
	// Dir is the folder on the hosts, an absolute path.
	Dir string
}

const (
	keySCPConnection = "heron.uploader.scp.command.connection"
	keySCPOptions    = "heron.uploader.scp.command.options"
	keySCPDir        = "heron.uploader.scp.dir.path"
	keySSHConnection = "heron.uploader.ssh.command.connection"
	keySSHOptions    = "heron.uploader.ssh.command.options"
)

var scpUploadKeys = [...]string{keySCPConnection, keySCPOptions, keySCPDir, keySSHConnection, keySSHOptions}

// scpUpload reads the keys. The original logs in twice, by ssh and by scp, and
// wants all of them; here one connection does both.
func (r *reader) scpUpload() SCPUpload {
	u := SCPUpload{
		Hosts:      words(r.list(keySCPConnection, nil)),
		Options:    r.text(keySCPOptions, ""),
		SSHOptions: r.text(keySSHOptions, ""),
		Dir:        r.place(keySCPDir, filepath.Join(r.userHome, "heron", "repository")),
	}
	other := words(r.list(keySSHConnection, nil))
	switch {
	case len(u.Hosts) == 0 && len(other) == 0:
		r.wrong(keySCPConnection, "is not set", "name the hosts: user@host, or several, or nomad for every node")
	case len(u.Hosts) == 0:
		u.Hosts = other
	case len(other) > 0 && !slices.Equal(slices.Sorted(slices.Values(u.Hosts)), slices.Sorted(slices.Values(other))):
		r.wrong(keySSHConnection, "names other hosts than "+keySCPConnection, "leave it out")
	}
	if !filepath.IsAbs(u.Dir) {
		r.wrong(keySCPDir, u.Dir+" is not an absolute path", "begin it with / or ${HOME}/")
	}
	return u
}

// words are those of a list whose texts may hold several.
func words(list []string) []string {
	var all []string
	for _, text := range list {
		all = append(all, strings.Fields(text)...)
	}
	return all
}
