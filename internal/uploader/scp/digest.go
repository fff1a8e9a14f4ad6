package scp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/heron-nomad/heron/internal/sshclient"
	"github.com/heron-nomad/heron/internal/uploader"
)

// digest is the SHA-256 of a file: by the host's own program where it lets us
// run one, else by reading all of it back.
func (c *session) digest(ctx context.Context, file string) (string, error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-tick.C:
				uploader.Working(ctx)
			case <-done:
				return
			}
		}
	}()
	if sum := c.askDigest(file); sum != "" || ctx.Err() != nil {
		return sum, ctx.Err()
	}
	f, err := c.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// askDigest has the host compute the digest of a file, "" where it does not.
func (c *session) askDigest(file string) string {
	session, err := c.ssh.SSH().NewSession()
	if err != nil {
		return ""
	}
	defer session.Close()
	out, err := session.StdoutPipe()
	script := fmt.Sprintf("%s < %s 2>/dev/null", hashing, sshclient.Quote(file))
	if err != nil || session.Start("exec sh -c "+sshclient.Quote(script)) != nil {
		return ""
	}
	return readDigest(out)
}
