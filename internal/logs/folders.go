package logs

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/heron-nomad/heron/internal/heronshell"
	"github.com/heron-nomad/heron/internal/nomad"
)

// nomadFolder is a folder of an allocation, read through Nomad.
type nomadFolder struct {
	nomad            Nomad
	allocation, root string
}

func (f nomadFolder) exact() bool { return true }

func (f nomadFolder) files(ctx context.Context, dir string) ([]file, error) {
	list, err := f.nomad.Files(ctx, f.allocation, path.Join(f.root, dir))
	if err != nil {
		return nil, fileError(err)
	}
	out := make([]file, len(list))
	for i, e := range list {
		out[i] = file{name: e.Name, size: e.Size, mod: e.ModTime, isDir: e.IsDir, isLink: e.Link}
	}
	return out, nil
}

func (f nomadFolder) text(ctx context.Context, name string, from, to int64) ([]byte, error) {
	if to <= from {
		return nil, nil
	}
	data, err := f.nomad.ReadFile(ctx, f.allocation, path.Join(f.root, name), from, to-from)
	return data, fileError(err)
}

// shellFolder is the working directory of a container, read through its
// heron-shell. It is found anew for each allocation.
type shellFolder struct {
	nomad      Nomad
	shell      Shell
	allocation string
	at         string
}

// shellPort is the label of heron-shell's port.
const shellPort = "shell_port"

func (f *shellFolder) exact() bool { return false }

func (f *shellFolder) find(ctx context.Context) error {
	if f.at != "" {
		return nil
	}
	at, err := f.nomad.PortAddress(ctx, f.allocation, shellPort)
	if err == nil && at == "" {
		err = fmt.Errorf("allocation %s has no port %s, at which heron-shell would be", f.allocation, shellPort)
	}
	f.at = at
	return err
}

func (f *shellFolder) files(ctx context.Context, dir string) ([]file, error) {
	if err := f.find(ctx); err != nil {
		return nil, err
	}
	list, err := f.shell.Files(ctx, f.at, dir)
	if err != nil {
		return nil, fileError(err)
	}
	out := make([]file, len(list))
	for i, e := range list {
		out[i] = file{name: e.Name, size: e.Size, isDir: e.IsDir}
	}
	return out, nil
}

func (f *shellFolder) text(ctx context.Context, name string, from, to int64) ([]byte, error) {
	if to <= from {
		return nil, nil
	}
	if err := f.find(ctx); err != nil {
		return nil, err
	}
	text, err := f.shell.Text(ctx, f.at, name, from, to-from)
	return []byte(text), fileError(err)
}

// fileError makes both clients' errors about files that are not there the same.
func fileError(err error) error {
	if errors.Is(err, nomad.ErrNoFile) || errors.Is(err, heronshell.ErrNoFile) {
		return fmt.Errorf("%w: %w", errNoFile, err)
	}
	return err
}
