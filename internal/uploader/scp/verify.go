package scp

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/heron-nomad/heron/internal/sshclient/sshconfig"
	"github.com/heron-nomad/heron/internal/uploader"
)

// segmentSize is how much of a file a host reads at a time for its digest.
const segmentSize = 8 << 20

// verification is the digest of a file that a host computes with a program of
// its own, perhaps while the file is still on its way. It tells the host how
// far the file is whole. What the host has read is a sign of life.
type verification struct {
	session *ssh.Session
	in      io.WriteCloser
	out     io.Reader

	mu sync.Mutex
	// left counts the bytes of each segment that the host has not taken;
	// next is the first one that it was not told of.
	left []int64
	next int
}

// hashing is what a host pipes into for a digest. OpenSSL uses what the
// processor has for it, sha256sum may not.
const hashing = "{ openssl dgst -sha256 -r || sha256sum; }"

// startDigest begins to compute the digest of a file that will have a size.
// A host that lets us run no programs has no answer in the end.
func (c *session) startDigest(ctx context.Context, file string, size int64) *verification {
	v := &verification{left: make([]int64, (size+segmentSize-1)/segmentSize)}
	for i := range v.left {
		v.left[i] = min(segmentSize, size-int64(i)*segmentSize)
	}
	session, err := c.ssh.SSH().NewSession()
	if err != nil {
		return v
	}
	const mib = 1 << 20
	// Each segment that went down the pipe is a line on standard error.
	script := fmt.Sprintf("while read n; do dd if=%s bs=%d skip=$n count=%d 2>/dev/null; echo >&2; done | %s 2>/dev/null",
		sshconfig.Quote(file), mib, segmentSize/mib, hashing)
	in, err1 := session.StdinPipe()
	out, err2 := session.StdoutPipe()
	signs, err3 := session.StderrPipe()
	if err1 != nil || err2 != nil || err3 != nil || session.Start("exec sh -c "+sshconfig.Quote(script)) != nil {
		_ = session.Close()
		return v
	}
	v.session, v.in, v.out = session, in, out
	go func() {
		for lines := bufio.NewScanner(signs); lines.Scan(); {
			// What a shell prints when it starts is none.
			if lines.Text() == "" {
				uploader.Working(ctx)
			}
		}
	}()
	return v
}

// taken notes that the host has taken a block, which lies in one segment.
func (v *verification) taken(off int64, n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.left[off/segmentSize] -= int64(n)
	for v.next < len(v.left) && v.left[v.next] == 0 {
		v.tell(v.next)
		v.next++
	}
}

// tell has the host read the next segment. The few bytes of it always fit into
// the window.
func (v *verification) tell(segment int) {
	if v.in != nil {
		// One that does not listen does not answer either.
		_, _ = fmt.Fprintln(v.in, segment*(segmentSize>>20))
	}
}

// end is the digest, "" where the host does not tell it.
func (v *verification) end() string {
	if v.session == nil {
		return ""
	}
	defer v.session.Close()
	_ = v.in.Close()
	return readDigest(v.out)
}

// readDigest takes the last line that looks like a digest: a shell may print
// something first. "" is none.
func readDigest(r io.Reader) string {
	text, err := io.ReadAll(io.LimitReader(r, 64<<10))
	if err != nil {
		return ""
	}
	found := ""
	for line := range strings.Lines(string(text)) {
		sum, _, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		if raw, err := hex.DecodeString(sum); err == nil && len(raw) == sha256.Size {
			found = sum
		}
	}
	return found
}

// digest is the SHA-256 of a file of this size: by the host's own program where
// it lets us run one, else by reading all of it back.
func (c *session) digest(ctx context.Context, file string, size int64) (string, error) {
	v := c.startDigest(ctx, file, size)
	for i, n := range v.left {
		v.taken(int64(i)*segmentSize, int(n))
	}
	if sum := v.end(); sum != "" || ctx.Err() != nil {
		return sum, ctx.Err()
	}
	f, err := c.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(signOfLife{ctx, hash}, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// signOfLife tells the watch for stalls of each piece that is written.
type signOfLife struct {
	ctx context.Context
	io.Writer
}

func (s signOfLife) Write(p []byte) (int, error) {
	uploader.Working(s.ctx)
	return s.Writer.Write(p)
}
