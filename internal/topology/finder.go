package topology

import (
	"bytes"
	"io"
	"slices"
)

// finder passes on what is written and notes whether one of some texts is in
// it.
type finder struct {
	to    io.Writer
	texts []string
	found bool
	// tail is the end of what came, in which a text may have begun.
	tail []byte
}

// findIn puts finders before the two outputs of a program. One writer for both
// stays one, so that two lines are not written to it at once.
func findIn(stdout, stderr io.Writer, texts []string) (out, err io.Writer, found func() bool) {
	first := &finder{to: stdout, texts: texts}
	second := first
	if stdout != stderr {
		second = &finder{to: stderr, texts: texts}
	}
	return first, second, func() bool { return first.found || second.found }
}

// Write implements io.Writer; a nil writer behind it discards.
func (f *finder) Write(data []byte) (int, error) {
	f.look(data)
	if f.to == nil {
		return len(data), nil
	}
	return f.to.Write(data)
}

func (f *finder) look(data []byte) {
	longest := 0
	for _, text := range f.texts {
		longest = max(longest, len(text))
	}
	if longest == 0 || f.found {
		return
	}
	seen := slices.Concat(f.tail, data)
	for _, text := range f.texts {
		f.found = f.found || bytes.Contains(seen, []byte(text))
	}
	f.tail = append([]byte(nil), seen[max(0, len(seen)-longest+1):]...)
}
