// Package tarball unpacks tar files that may come from anywhere: nothing is
// written outside the folder that was named, and nothing is written that a
// container should not get, such as devices.
//
// It knows nothing of where an archive comes from or what is in it.
package tarball

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/heron-nomad/heron/internal/outcome"
)

// Error says that an archive is damaged, is none, or holds what is not
// unpacked. Trying again does not help.
type Error struct {
	// Member is the name inside the archive, "" where no member is at fault.
	Member string
	// Reason says what is wrong, and where it can be said what to do.
	Reason string
	Err    error
}

// Error implements error.
func (e *Error) Error() string {
	text := e.Reason
	if e.Member != "" {
		text = fmt.Sprintf("member %q %s", e.Member, e.Reason)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap is the cause, or nil.
func (e *Error) Unwrap() error { return e.Err }

// Kind implements the contract of package outcome.
func (*Error) Kind() outcome.Kind { return outcome.Undone }

func refuse(member, format string, args ...any) error {
	return &Error{Member: member, Reason: fmt.Sprintf(format, args...)}
}

// Limits end the unpacking of an archive that would fill a disk. A zero is the
// default.
type Limits struct {
	// Bytes is the most that may come out of the archive, by default 8 GiB.
	Bytes int64
	// Entries is how many files, folders and links there may be, folders that
	// are only implied included; by default 100,000.
	Entries int
	// Ratio is how many times larger than what was read the result may be,
	// by default 200. It counts from 64 MiB on: small files of one byte
	// repeated are harmless.
	Ratio int64
}

const (
	defaultBytes   = 8 << 30
	defaultEntries = 100_000
	defaultRatio   = 200
	// ratioFrom is the size in bytes below which the ratio is not looked at.
	ratioFrom = 64 << 20
	// maxName bounds a member's name, in bytes, and maxDepth its folders.
	maxName  = 1024
	maxDepth = 64
)

func (l Limits) withDefaults() Limits {
	return Limits{
		Bytes:   cmp.Or(l.Bytes, defaultBytes),
		Entries: cmp.Or(l.Entries, defaultEntries),
		Ratio:   cmp.Or(l.Ratio, defaultRatio),
	}
}

// Options say how an archive is unpacked.
type Options struct {
	Limits Limits
	// Private makes everything the owner's alone to read and remove, and only
	// takes from the archive what is executable. Otherwise permissions are the
	// archive's, without the bits for other users' rights, and folders can
	// always be entered and changed by their owner.
	Private bool
}

// Summary is what was unpacked.
type Summary struct {
	// Entries are files, folders and links; Bytes the content of files.
	Entries int   `json:"entries"`
	Bytes   int64 `json:"bytes"`
}

// Extract unpacks a tar file, plain or compressed with gzip or bzip2, into a
// folder that is empty. Permissions and times of change are kept, owners are
// not. What is wrong with the archive is an *Error, and what was unpacked
// until then is left to the caller to remove.
//
// Links have to stay inside the folder: symbolic ones are followed when all is
// there, hard ones have to name a file that came before. Of two files of one
// name the last wins; other things of one name are refused, and so is what
// lies below a link.
func Extract(ctx context.Context, r io.Reader, root *os.Root, opts Options) (Summary, error) {
	x, err := extract(ctx, r, root, opts)
	return x.done, err
}

func extract(ctx context.Context, r io.Reader, root *os.Root, opts Options) (*extraction, error) {
	x := &extraction{
		ctx: ctx, root: root,
		limits: opts.Limits.withDefaults(), private: opts.Private,
		folders: map[string]attributes{},
	}
	if err := x.all(r); err != nil {
		return x, err
	}
	if err := checkLinks(root, x.links); err != nil {
		return x, err
	}
	return x, x.finishFolders()
}

// checkLinks follows symbolic links to their ends, since links may lead over
// other links. One that leads nowhere harms nobody.
func checkLinks(root *os.Root, links []string) error {
	for _, name := range links {
		if _, err := root.Stat(name); err != nil && !isMissing(err) {
			return &Error{Member: name, Reason: "is a link that cannot be followed inside the folder: put the file itself in", Err: err}
		}
	}
	return nil
}

// permissions is a mode without set-id and sticky bits.
func permissions(mode fs.FileMode) fs.FileMode { return mode.Perm() }
