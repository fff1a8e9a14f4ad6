package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// serviceURL is the only property of a cluster in the client's own settings.
const serviceURL = "service_url"

// Property is one line of a list of settings.
type Property struct{ Key, Value string }

// ClientConfig is what one user's client remembers about clusters, in
// <dir>/<cluster>/cli.yaml.
type ClientConfig struct {
	dir string
}

// NewClientConfig keeps its files where all of Heron's clients do: in
// ~/.config/heron, below the user's home.
func NewClientConfig(userHome string) ClientConfig {
	return ClientConfig{dir: filepath.Join(userHome, ".config", "heron")}
}

// path is the file of a cluster. The name becomes a folder, so it must not
// lead anywhere else.
func (c ClientConfig) path(cluster string) (string, error) {
	bad := cluster == "" || cluster == "." || cluster == ".." ||
		strings.ContainsFunc(cluster, func(r rune) bool { return r == '/' || r == '\\' || r < ' ' || r == 0x7f })
	if bad {
		return "", &Error{Msg: fmt.Sprintf("%q is not the name of a cluster", cluster), Hint: "a name has no slashes and is neither empty nor made of dots alone"}
	}
	return filepath.Join(c.dir, cluster, "cli.yaml"), nil
}

// List returns what is set for a cluster; nothing for one that is not known.
func (c ClientConfig) List(cluster string) ([]Property, error) {
	path, err := c.path(cluster)
	if err != nil {
		return nil, err
	}
	return readProperties(path)
}

// ServiceURL is the address of the cluster's API server, or "".
func (c ClientConfig) ServiceURL(cluster string) (string, error) {
	properties, err := c.List(cluster)
	if err != nil {
		return "", err
	}
	for _, p := range properties {
		if p.Key == serviceURL {
			return p.Value, nil
		}
	}
	return "", nil
}

// Clusters are the names of those that have an API server.
func (c ClientConfig) Clusters() (names []string) {
	entries, _ := os.ReadDir(c.dir) // no folder, no clusters
	for _, e := range entries {
		if address, err := c.ServiceURL(e.Name()); err == nil && address != "" {
			names = append(names, e.Name())
		}
	}
	return names
}

// Set remembers a property. The address of a service must be one.
func (c ClientConfig) Set(cluster, property, value string) error {
	path, err := c.known(cluster, property)
	if err != nil {
		return err
	}
	if u, err := url.Parse(value); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return &Error{Key: property, Msg: fmt.Sprintf("%q is not the address of a service", value), Hint: "write it as http://host:9000"}
	}
	return change(path, func(m mapping) mapping {
		return layOver(m, mapping{{key: property, value: value}}, true)
	})
}

// Unset forgets a property; one that is not set is fine.
func (c ClientConfig) Unset(cluster, property string) error {
	path, err := c.known(cluster, property)
	if err != nil {
		return err
	}
	return change(path, func(m mapping) mapping {
		return slices.DeleteFunc(slices.Clone(m), func(p pair) bool { return p.key == property })
	})
}

func (c ClientConfig) known(cluster, property string) (path string, err error) {
	if property != serviceURL {
		return "", &Error{Key: property, Msg: "unknown property of cluster " + cluster, Hint: "the only one is " + serviceURL}
	}
	return c.path(cluster)
}

// change rewrites a file in one step and removes it when nothing is left.
func change(path string, edit func(mapping) mapping) error {
	before, err := readFile(path)
	if err != nil {
		return err
	}
	after := edit(before)
	if len(after) == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("clear the client's settings: %w", err)
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("keep the client's settings: %w", err)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".cli-*.yaml")
	if err != nil {
		return fmt.Errorf("keep the client's settings: %w", err)
	}
	_, err = temp.Write(emit(after))
	if closeErr := temp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(temp.Name())
		return fmt.Errorf("keep the client's settings: %w", err)
	}
	return nil
}

// ReadRelease returns what a release file says, in the order of its keys: the
// version of this client, and who built it.
func ReadRelease(path string) ([]Property, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, &Error{Source: fileSource(path, 0), Msg: "cannot be read", Err: err, Hint: "give the path of a release.yaml"}
	}
	return readProperties(path)
}

func readProperties(path string) ([]Property, error) {
	m, err := readFile(path)
	if err != nil {
		return nil, err
	}
	values := entries(path, m)
	properties := make([]Property, 0, len(values))
	for _, k := range sortedKeys(values) {
		e := values[k]
		if _, ok := scalarText(e.value); !ok && e.value != nil {
			return nil, e.wrong(k, "is "+kindName(e.value), "give it text")
		}
		p := Property{Key: k}
		if e.value != nil {
			p.Value = e.text
		}
		properties = append(properties, p)
	}
	return properties, nil
}
