package sshclient

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// knownHosts are the keys that a host may have.
type knownHosts struct {
	l      *login
	lookup ssh.HostKeyCallback
	// keys are those of this host, authorities those that may vouch for it.
	keys, authorities []knownhosts.KnownKey
	// bare are keys of the host's name without a port.
	bare []knownhosts.KnownKey
	// names are the files that were read, by the names of their copies.
	names map[string]string
}

// readKnownHosts reads all files that are there.
func (l *login) readKnownHosts() (*knownHosts, error) {
	k := &knownHosts{l: l, names: map[string]string{}}
	var files []string
	texts := map[string][][]byte{}
	for _, file := range slices.Concat(l.knownHosts, l.globalKnownHosts) {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, &InputError{What: "known hosts file", Value: file, Reason: plainReason(err)}
		}
		name, err := readable(file, text)
		if err != nil {
			return nil, err
		}
		if name != file {
			defer os.Remove(name)
		}
		files = append(files, name)
		k.names[name], texts[name] = file, bytes.Split(text, []byte("\n"))
	}
	lookup, err := knownhosts.New(files...)
	if err != nil {
		return nil, &InputError{What: "known hosts file", Value: strings.Join(files, " "), Reason: err.Error()}
	}
	k.lookup = lookup
	all := func(name string) []knownhosts.KnownKey {
		want := wanted(lookup, name)
		for i := range want {
			line := texts[want[i].Filename][want[i].Line-1]
			if bytes.HasPrefix(bytes.TrimSpace(line), []byte("@cert-authority")) {
				want[i].Key = authority{want[i].Key}
			}
			want[i].Filename = k.names[want[i].Filename]
		}
		return want
	}
	for _, key := range all(l.keyName) {
		if a, ok := key.Key.(authority); ok {
			key.Key = a.PublicKey
			k.authorities = append(k.authorities, key)
		} else {
			k.keys = append(k.keys, key)
		}
	}
	if bare := l.bareName(); bare != "" {
		k.bare = slices.DeleteFunc(all(bare), func(key knownhosts.KnownKey) bool {
			_, is := key.Key.(authority)
			return is
		})
	}
	return k, nil
}

// authority marks the key of a line that says so.
type authority struct{ ssh.PublicKey }

// bareName is the host's name on the standard port, "" if that is its name
// already. A key that is known for it is good on any port, as in OpenSSH.
func (l *login) bareName() string {
	host, port, err := net.SplitHostPort(l.keyName)
	if err != nil || port == "22" {
		return ""
	}
	return net.JoinHostPort(host, "22")
}

// readable is a file that the library can read. It would refuse a whole file
// for one line, so such lines are left out in a copy; only a line that revokes
// a key must not be lost.
func readable(file string, text []byte) (string, error) {
	lines := bytes.Split(text, []byte("\n"))
	whole := true
	for i, line := range lines {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if _, _, _, _, _, err := ssh.ParseKnownHosts(line); err == nil {
			continue
		}
		if line[0] == '@' && !bytes.HasPrefix(line, []byte("@cert-authority")) {
			return "", &InputError{What: "known hosts file", Value: fmt.Sprintf("%s:%d", file, i+1), Reason: "this line cannot be read, so it is unknown which key it revokes; correct or remove it"}
		}
		whole, lines[i] = false, nil
	}
	if whole {
		return file, nil
	}
	f, err := os.CreateTemp("", "known_hosts-*")
	if err != nil {
		return "", fmt.Errorf("read %s: %w", file, err)
	}
	_, err = f.Write(bytes.Join(lines, []byte("\n")))
	if err := errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", fmt.Errorf("read %s: %w", file, err)
	}
	return f.Name(), nil
}

// wanted are the keys that the files have for a host. The library returns them
// when it is shown another key.
func wanted(lookup ssh.HostKeyCallback, name string) []knownhosts.KnownKey {
	var unknown *knownhosts.KeyError
	if errors.As(lookup(name, &net.TCPAddr{}, noKey{}), &unknown) {
		return unknown.Want
	}
	return nil
}

// noKey is a key that no host has.
type noKey struct{}

func (noKey) Type() string                        { return "none" }
func (noKey) Marshal() []byte                     { return nil }
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("no key") }

// where are the places of keys.
func (k *knownHosts) where(keys []knownhosts.KnownKey) string {
	var places []string
	for _, key := range keys {
		places = append(places, fmt.Sprintf("%s:%d", key.Filename, key.Line))
	}
	return strings.Join(places, ", ")
}

// file is where a new key goes, "" for nowhere.
func (l *login) file() string {
	if len(l.knownHosts) == 0 || l.knownHosts[0] == os.DevNull {
		return ""
	}
	return l.knownHosts[0]
}

// keep appends the host's key to the user's file.
func (l *login) keep(key ssh.PublicKey) error {
	file := l.file()
	if file == "" {
		return nil
	}
	name := knownhosts.Normalize(l.keyName)
	if l.hashNames {
		name = knownhosts.HashHostname(name)
	}
	line := name + " " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + "\n"
	if err := appendLine(file, line); err != nil {
		return fmt.Errorf("keep the key of %s: %w", l, err)
	}
	return nil
}

// appendLine writes in one piece, so that lines of several writers stay whole.
func appendLine(file, line string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if info, serr := f.Stat(); serr == nil && info.Size() > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
			line = "\n" + line
		}
	}
	_, err = f.WriteString(line)
	return errors.Join(err, f.Close())
}
