package conf

import "path/filepath"

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

func (r *reader) scpUpload() SCPUpload {
	return SCPUpload{
		Hosts:      r.list(keySCPConnection, nil),
		Options:    r.text(keySCPOptions, ""),
		SSHOptions: r.text(keySSHOptions, ""),
		Dir:        r.place(keySCPDir, filepath.Join(r.userHome, "heron", "repository")),
	}
}
