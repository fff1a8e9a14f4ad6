package sshclient

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/heron-nomad/heron/internal/sshclient/sshconfig"
)

// knownKey is a line of a known_hosts file.
type knownKey struct {
	// marker is "", "cert-authority" or "revoked".
	marker string
	key    ssh.PublicKey
	file   string
	line   int
}

// knownHosts are the lines about one host.
type knownHosts struct {
	l *login
	// named are those of its name with the port, bare those of its name alone,
	// which count on other ports than 22 too.
	named, bare []knownKey
}

// readKnownHosts reads all files that are there.
func (l *login) readKnownHosts() (*knownHosts, error) {
	k := &knownHosts{l: l}
	for _, file := range slices.Concat(l.KnownHosts, l.GlobalKnownHosts) {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, &sshconfig.InputError{What: "known hosts file", Value: file, Reason: sshconfig.FileReason(err)}
		}
		number := 0
		for line := range bytes.Lines(text) {
			number++
			hosts := hostsOf(line)
			named, bare := l.isNamed(hosts, l.KeyName), l.isNamed(hosts, l.BareKeyName())
			if !named && !bare {
				continue
			}
			marker, _, key, _, _, err := ssh.ParseKnownHosts(line)
			known := knownKey{marker: marker, key: key, file: file, line: number}
			switch {
			case err == nil && slices.Contains([]string{"", "cert-authority", "revoked"}, marker):
			case bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("@revoked")):
				return nil, &sshconfig.InputError{What: "known hosts file", Value: known.place(), Reason: "this line cannot be read, so it is unknown which key it revokes; correct or remove it"}
			default:
				continue // OpenSSH takes no notice of such a line either
			}
			if named {
				k.named = append(k.named, known)
			}
			if bare {
				k.bare = append(k.bare, known)
			}
		}
	}
	return k, nil
}

func (k knownKey) place() string { return fmt.Sprintf("%s:%d", k.file, k.line) }

// hostsOf is the field of a line that has the host names.
func hostsOf(line []byte) string {
	fields := strings.FieldsFunc(string(line), func(c rune) bool { return c == ' ' || c == '\t' || c == '\n' })
	if len(fields) > 1 && strings.HasPrefix(fields[0], "@") {
		fields = fields[1:]
	}
	if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
		return ""
	}
	return fields[0]
}

// isNamed says whether a list of patterns, or a hashed name, is about a host.
func (l *login) isNamed(hosts, name string) bool {
	if hosts == "" || name == "" {
		return false
	}
	if !strings.HasPrefix(hosts, "|") {
		return sshconfig.MatchHost(name, hosts)
	}
	parts := strings.Split(hosts, "|")
	if len(parts) != 4 || parts[1] != "1" {
		return false
	}
	salt, err := base64.StdEncoding.DecodeString(parts[2])
	return err == nil && hashName(name, salt) == hosts
}

// hashName hides a name, as HashKnownHosts wants it.
func hashName(name string, salt []byte) string {
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(name))
	return "|1|" + base64.StdEncoding.EncodeToString(salt) + "|" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// file is where a new key goes, "" for nowhere.
func (l *login) file() string {
	if len(l.KnownHosts) == 0 || l.KnownHosts[0] == os.DevNull {
		return ""
	}
	return l.KnownHosts[0]
}

// keep appends the host's key to the user's file.
func (l *login) keep(key ssh.PublicKey) error {
	file := l.file()
	if file == "" {
		return nil
	}
	name := l.KeyName
	if l.HashNames {
		salt := make([]byte, sha1.Size)
		_, _ = rand.Read(salt)
		name = hashName(name, salt)
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
