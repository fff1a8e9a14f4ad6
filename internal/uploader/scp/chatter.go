package scp

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// maxHeard is how much of an answer is kept for a message, in bytes.
const maxHeard = 120

// beginning keeps the first bytes of what a host answers to SFTP.
type beginning struct {
	*bufio.Reader
	// heard are those that were read.
	heard []byte
}

func newBeginning(r io.Reader) *beginning {
	return &beginning{Reader: bufio.NewReader(r)}
}

// Read implements io.Reader.
func (b *beginning) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if room := maxHeard - len(b.heard); room > 0 {
		b.heard = append(b.heard, p[:min(n, room)]...)
	}
	return n, err
}

// explain turns an error of SFTP's first exchange into a *chatterError where
// the host said something else first. Nobody reads any more then.
func (b *beginning) explain(err error) error {
	// The first packet is the version: its length, and the type.
	const versionType, longest = 2, 256 << 10
	if rest, perr := b.Peek(min(b.Buffered(), maxHeard-len(b.heard))); perr == nil {
		b.heard = append(b.heard, rest...)
	}
	if len(b.heard) == 0 || len(b.heard) > 4 && b.heard[4] == versionType && binary.BigEndian.Uint32(b.heard) <= longest {
		return err
	}
	return &chatterError{said: string(b.heard), err: err}
}

// chatterError is a host that prints something where SFTP should begin: start
// files of the shell do, which runs before a server of SFTP that is a program,
// and so does a shell that lets nobody in.
type chatterError struct {
	said string
	err  error
}

// Error quotes what was printed.
func (e *chatterError) Error() string {
	// What follows a zero is of SFTP.
	said, _, _ := strings.Cut(e.said, "\x00")
	text := strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(said, "")))
	return fmt.Sprintf("prints %q before SFTP begins (%v): the start files of the shell there, such as ~/.bashrc, must print nothing for a shell that is not interactive, and the user must be allowed to log in", text, e.err)
}

// Unwrap is the error of SFTP.
func (e *chatterError) Unwrap() error { return e.err }
