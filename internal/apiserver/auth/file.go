package auth

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/heron-nomad/heron/internal/outcome"
)

// file is the file of tokens. It is read anew when it changes, so that a token
// can be given or taken away while the server runs.
type file struct {
	path string

	mu       sync.Mutex
	modified time.Time
	size     int64
	read     *entries
}

// entries are who may do what.
type entries struct {
	byDigest, byCertificate map[string]*Identity
}

// document is the form of the file.
type document struct {
	Tokens []entry `yaml:"tokens"`
}

type entry struct {
	Name        string   `yaml:"name"`
	SHA256      string   `yaml:"sha256"`
	Certificate string   `yaml:"certificate"`
	Verbs       []Verb   `yaml:"verbs"`
	Roles       []string `yaml:"roles"`
}

// entries returns what the file says now. A file that became unreadable is an
// error: it may have been meant to take rights away.
func (f *file) entries() (*entries, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil {
		return nil, outcome.Errorf(outcome.Usage, "read the file of tokens: %w", err)
	}
	if f.read != nil && info.ModTime().Equal(f.modified) && info.Size() == f.size {
		return f.read, nil
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		return nil, outcome.Errorf(outcome.Usage, "read the file of tokens: %w", err)
	}
	read, err := parse(data)
	if err != nil {
		f.read = nil
		return nil, outcome.Errorf(outcome.Usage, "file of tokens %s: %w", f.path, err)
	}
	f.read, f.modified, f.size = read, info.ModTime(), info.Size()
	return read, nil
}

func parse(data []byte) (*entries, error) {
	var doc document
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(doc.Tokens) == 0 {
		return nil, errors.New("it has no tokens, so that nobody could do anything")
	}
	out := &entries{byDigest: map[string]*Identity{}, byCertificate: map[string]*Identity{}}
	for i, e := range doc.Tokens {
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("entry %d (%s): %w", i+1, e.Name, err)
		}
		identity := &Identity{Name: e.Name, Verbs: e.Verbs, Roles: e.Roles}
		into, key := out.byCertificate, e.Certificate
		if e.SHA256 != "" {
			into, key = out.byDigest, strings.ToLower(e.SHA256)
		}
		if into[key] != nil {
			return nil, fmt.Errorf("entry %d (%s): %s has the same", i+1, e.Name, into[key].Name)
		}
		into[key] = identity
	}
	return out, nil
}

// check refuses an entry that does not say who may do what.
func (e *entry) check() error {
	sum, err := hex.DecodeString(e.SHA256)
	switch {
	case e.Name == "":
		return errors.New("it has no name")
	case (e.SHA256 == "") == (e.Certificate == ""):
		return errors.New("give either sha256, the digest of a token, or certificate, the common name of a client's")
	case e.SHA256 != "" && (err != nil || len(sum) != 32):
		return errors.New("sha256 is not 64 hex digits; make it with: printf %s \"$TOKEN\" | sha256sum")
	case len(e.Verbs) == 0 || len(e.Roles) == 0:
		return errors.New("it needs verbs and roles; \"*\" is all of them")
	}
	for _, v := range e.Verbs {
		if !slices.Contains(Verbs(), v) {
			return fmt.Errorf("unknown verb %q; there are %v", v, Verbs())
		}
	}
	return nil
}
