package conf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
)

// secretFileKeys are the keys that name files with secrets. The names are no
// secrets and may be packed; the files never are.
func secretFileKeys() []string {
	return []string{
		keyNomadTokenFile,
		keyNomadClientKey,
		keyDockerPasswordFile,
		keyHTTPTokenFile,
		keyHTTPClientKey,
		keyZooKeeperDigest,
		keyZooKeeperClientKey,
		keyGCSCredentials,
	}
}

// maxSecret is more than any token or password has, in bytes.
const maxSecret = 64 << 10

// ReadSecretFile reads a file that holds one secret and nothing else.
func ReadSecretFile(path string) (Secret, error) { return readSecretFile(path) }

// readSecretFile reads a file that holds one secret and nothing else. A byte
// order mark and blanks around the secret, such as the line feed that an
// editor adds, are no part of it.
func readSecretFile(path string) (Secret, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("cannot be read: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("cannot be read: %w", err)
	}
	if len(data) > maxSecret {
		return "", fmt.Errorf("%s has more than %d bytes, which no secret has", path, maxSecret)
	}
	data, msg := plainText(data)
	if msg != "" {
		return "", fmt.Errorf("%s %s", path, msg)
	}
	text := string(bytes.TrimSpace(data))
	switch {
	case text == "":
		return "", fmt.Errorf("%s is empty", path)
	case strings.ContainsAny(text, "\r\n"):
		return "", fmt.Errorf("%s holds more than one line", path)
	case strings.ContainsFunc(text, unicode.IsControl):
		return "", fmt.Errorf("%s holds a control character", path)
	}
	return Secret(text), nil
}

// secretFrom reads the secret in a file whose path was given by source, and
// warns where others can read the file. what says what the file has to hold.
func (r *reader) secretFrom(path string, source Source, what string) Secret {
	secret, err := readSecretFile(path)
	if err != nil {
		r.fail(&Error{Source: source, Key: source.Key, Msg: err.Error(), Hint: "name a file of this machine that holds " + what + " and nothing else, in UTF-8"})
		return ""
	}
	r.warnOpen(path, source)
	return secret
}

// othersMayRead are the permissions of those who do not own a file.
const othersMayRead = 0o044

// warnOpen warns of a secret file that others on this machine can read.
func (r *reader) warnOpen(path string, source Source) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode()&othersMayRead == 0 {
		return
	}
	r.warn(&Error{
		Source: source, Key: source.Key,
		Msg:  fmt.Sprintf("%s holds a secret, and others on this machine can read it: its mode is %04o", path, info.Mode().Perm()),
		Hint: "run chmod 600 on it",
	})
}

// warn notes what is no error, once.
func (r *reader) warn(w *Error) {
	for _, other := range r.warnings {
		if *other == *w {
			return
		}
	}
	r.warnings = append(r.warnings, w)
}

// secretKeyFile is the path of a private key that a key names.
func (r *reader) secretKeyFile(key string) string {
	path := r.absolute(key)
	if path != "" {
		r.warnOpen(path, r.source(key))
	}
	return path
}

// secretFiles are the files that hold secrets, by whatever they are named: keys,
// overrides or variables.
func (l *Loaded) secretFiles() ([]os.FileInfo, error) {
	local, err := l.Local()
	if err != nil {
		return nil, err
	}
	paths := []string{l.opts.Nomad.TokenFile, l.opts.Nomad.ClientKey}
	if l.opts.Getenv != nil {
		paths = append(paths, l.opts.Getenv("NOMAD_CLIENT_KEY"))
	}
	for _, key := range secretFileKeys() {
		// A value that is not text is reported where the key is read.
		if path, _, err := local.String(key); err == nil {
			paths = append(paths, path)
		}
	}
	var files []os.FileInfo
	for _, path := range paths {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		switch {
		case err == nil:
			files = append(files, info)
		case !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrPermission):
			return nil, fmt.Errorf("look at a file that holds a secret: %w", err)
		}
	}
	return files, nil
}
