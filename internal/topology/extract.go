package topology

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/heron-nomad/heron/internal/tarball"
)

// extract unpacks a tar file, compressed or not, into dir. Folders and files
// are the caller's own to read and remove, whatever the archive says.
func extract(ctx context.Context, file, dir string) error {
	f, err := os.Open(file)
	if err != nil {
		return inputError(err, "read topology file %q", file)
	}
	defer f.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", file, err)
	}
	defer root.Close()
	_, err = tarball.Extract(ctx, f, root, tarball.Options{Private: true})
	var bad *tarball.Error
	if errors.As(err, &bad) {
		return inputError(err, "unpack topology file %q", file)
	}
	if err != nil {
		return fmt.Errorf("unpack %s: %w", file, err)
	}
	return nil
}
