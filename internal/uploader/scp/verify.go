package scp

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/heron-nomad/heron/internal/sshclient"
)

// segmentSize is how much of a file a host reads at a time for its digest.
const segmentSize = 8 << 20

// verification is the digest of a file that a host computes while the file is
// still on its way. It tells the host how far the file is whole.
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
func (c *session) startDigest(file string, size int64) *verification {
	v := &verification{left: make([]int64, (size+segmentSize-1)/segmentSize)}
	for i := range v.left {
		v.left[i] = min(segmentSize, size-int64(i)*segmentSize)
	}
	session, err := c.ssh.SSH().NewSession()
	if err != nil {
		return v
	}
	const mib = 1 << 20
	script := fmt.Sprintf("{ while read n; do dd if=%s bs=%d skip=$n count=%d; done | %s; } 2>/dev/null",
		sshclient.Quote(file), mib, segmentSize/mib, hashing)
	in, err1 := session.StdinPipe()
	out, err2 := session.StdoutPipe()
	if err1 != nil || err2 != nil || session.Start("exec sh -c "+sshclient.Quote(script)) != nil {
		_ = session.Close()
		return v
	}
	v.session, v.in, v.out = session, in, out
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

// readDigest is "" for what does not look like one.
func readDigest(r io.Reader) string {
	text, err := io.ReadAll(io.LimitReader(r, 1<<10))
	sum, _, _ := strings.Cut(string(text), " ")
	if raw, herr := hex.DecodeString(sum); err != nil || herr != nil || len(raw) != sha256.Size {
		return ""
	}
	return sum
}
