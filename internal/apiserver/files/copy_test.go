package files

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// sizes notes how much is written at a time.
type sizes struct {
	bytes.Buffer
	list []int
}

func (s *sizes) Write(p []byte) (int, error) {
	s.list = append(s.list, len(p))
	return s.Buffer.Write(p)
}

func TestCopy(t *testing.T) {
	t.Run("one client", func(t *testing.T) { testCopy(t, newCopier()) })
	t.Run("one of several", func(t *testing.T) {
		c := newCopier()
		c.clients.Add(1)
		testCopy(t, c)
	})
}

func testCopy(t *testing.T, c *copier) {
	text := strings.Repeat("01234567", pieceSize/8*2) + "the end"
	for name, src := range map[string]io.Reader{
		"small pieces":            iotest.HalfReader(iotest.HalfReader(strings.NewReader(text))),
		"end with the last piece": iotest.DataErrReader(strings.NewReader(text)),
	} {
		to := &sizes{}
		digest := sha256.New()
		n, err := c.copy(to, digest, src)
		if err != nil || n != int64(len(text)) || to.String() != text {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
		if sum := sha256.Sum256([]byte(text)); !bytes.Equal(digest.Sum(nil), sum[:]) {
			t.Errorf("%s: another digest", name)
		}
		if len(to.list) != 3 || to.list[0] != pieceSize || to.list[1] != pieceSize {
			t.Errorf("%s: written in pieces of %v", name, to.list)
		}
	}
	to := &sizes{}
	if n, err := c.copy(to, sha256.New(), strings.NewReader("")); n != 0 || err != nil || to.list != nil {
		t.Errorf("nothing: %d bytes in %v, %v", n, to.list, err)
	}

	cut := io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(io.ErrUnexpectedEOF))
	if n, err := c.copy(to, sha256.New(), cut); n != 3 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut off: %d bytes, %v", n, err)
	}
	broken := errors.New("broken")
	if n, err := c.copy(failing{broken}, sha256.New(), strings.NewReader(text)); n != 0 || !errors.Is(err, broken) {
		t.Errorf("broken disk: %d bytes, %v", n, err)
	}
	if len(c.working) != 0 {
		t.Error("a copy that failed still counts as at work")
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
