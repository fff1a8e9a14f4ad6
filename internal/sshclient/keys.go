package sshclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/sshclient/sshconfig"
)

// candidate is a key or a certificate that may be offered.
type candidate struct {
	// name is for people: a file or a key of the agent.
	name   string
	public ssh.PublicKey
	// file has the private key; "" if only the agent or another file has it.
	file   string
	signer ssh.Signer // nil until it is needed
}

// keys are what can be offered to a host, and why some of it cannot.
type keys struct {
	l      *login
	offers []candidate
	// skipped names what was configured and cannot be used, and why.
	skipped []string
	// agent is the connection to the agent, held are its keys.
	agent net.Conn
	held  []candidate
}

func (k *keys) close() {
	if k.agent != nil {
		_ = k.agent.Close()
	}
}

func (k *keys) skip(name, reason string) { k.skipped = append(k.skipped, name+": "+reason) }

// keys collects them in the order of OpenSSH, which matters because servers
// end the attempt after a few keys: certificates that were configured, keys of
// the agent that are identities too, the agent's other keys, and the rest of
// the identities. An agent that does not answer is given up with the context.
func (l *login) keys(ctx context.Context) *keys {
	k := &keys{l: l, skipped: slices.Clone(l.Missing)}
	k.ask(ctx, l.Agent)
	files := k.files()
	certificates := k.certificates()
	var mine, others []candidate
	for _, held := range k.held {
		at := slices.IndexFunc(files, func(c candidate) bool { return sameKey(c.public, held.public) })
		switch {
		case at >= 0:
			held.name = files[at].name + " (agent)"
			mine = append(mine, held)
			files = slices.Delete(files, at, at+1)
		case !l.OnlyIdentities:
			others = append(others, held)
		}
	}
	for _, c := range slices.Concat(certificates, mine, others, files) {
		k.offer(c)
	}
	return k
}

// ask gets the agent's keys. An agent that does not answer has none.
func (k *keys) ask(ctx context.Context, socket string) {
	if socket == "" {
		return
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", socket)
	if err != nil {
		k.skip("the agent at "+socket, reasonOf(err))
		return
	}
	k.agent = conn
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	// The client reads ahead, so there is one for the connection.
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		k.skip("the agent at "+socket, "it does not list its keys")
	}
	for _, signer := range signers {
		held := candidate{public: signer.PublicKey(), signer: signer}
		comment := ""
		if key, ok := held.public.(*agent.Key); ok {
			comment = strings.TrimSpace(" " + key.Comment)
			if public, err := ssh.ParsePublicKey(key.Marshal()); err == nil {
				held.public = public
			}
		}
		held.name = strings.TrimSpace("the agent's " + ssh.FingerprintSHA256(held.public) + " " + comment)
		k.held = append(k.held, held)
	}
}

// files are the identities, each with its certificate behind it unless
// certificates are configured.
func (k *keys) files() []candidate {
	var files []candidate
	for _, identity := range k.l.Identities {
		file := identity.File
		public := publicOf(file)
		if public == nil {
			_, err := os.Stat(file)
			if !identity.Default || err == nil {
				_, err = readPrivate(file)
				k.private(file, err)
			}
			continue
		}
		files = append(files, candidate{name: file, public: public, file: file})
		if len(k.l.Certificates) > 0 {
			continue
		}
		if cert := certificateOf(file + "-cert"); cert != nil {
			files = append(files, candidate{name: file + "-cert.pub", public: cert, file: file})
		}
	}
	return files
}

// certificates are those that are configured.
func (k *keys) certificates() []candidate {
	var found []candidate
	for _, file := range k.l.Certificates {
		if cert := certificateOf(file); cert != nil {
			found = append(found, candidate{name: file, public: cert})
			continue
		}
		reason := "it is not a certificate for users"
		if _, err := os.Stat(file); err != nil {
			reason = sshconfig.FileReason(err)
		}
		k.skip(file, reason)
	}
	return found
}

// offer adds a candidate whose private half can be used and whose type is
// allowed.
func (k *keys) offer(c candidate) {
	algorithms := k.l.signingAlgorithms(c.public)
	switch bits := rsaBits(c.public); {
	case bits > 0 && bits < k.l.MinRSABits:
		k.skip(c.name, fmt.Sprintf("its %d bits are fewer than RequiredRSASize", bits))
		return
	case len(algorithms) == 0:
		k.skip(c.name, "PubkeyAcceptedAlgorithms does not allow keys of the type "+c.public.Type())
		return
	case slices.ContainsFunc(k.offers, func(o candidate) bool { return sameKey(o.public, c.public) }):
		return
	}
	signer := c.signer
	if signer == nil {
		if signer = k.signer(c); signer == nil {
			return
		}
	}
	c.signer = k.watched(signer, c, algorithms)
	k.offers = append(k.offers, c)
}

// signer finds the private half: in the agent, or in a file. For a certificate
// that is the half of the key that it is for.
func (k *keys) signer(c candidate) ssh.Signer {
	plain := c.public
	cert, isCert := c.public.(*ssh.Certificate)
	if isCert {
		plain = cert.Key
	}
	var signer ssh.Signer
	for _, held := range k.held {
		if sameKey(held.public, plain) {
			signer = held.signer
		}
	}
	files := []string{c.file}
	if c.file == "" {
		files = nil
		for _, identity := range k.l.Identities {
			if sameKey(publicOf(identity.File), plain) {
				files = append(files, identity.File)
			}
		}
	}
	for _, file := range files {
		if signer != nil {
			break
		}
		var err error
		signer, err = readPrivate(file)
		if err != nil {
			k.private(file, err)
		} else if !sameKey(signer.PublicKey(), plain) {
			k.skip(c.name, "the private key in "+file+" is another one")
			signer = nil
		}
	}
	switch {
	case signer == nil && c.file == "":
		k.skip(c.name, "neither the agent nor an identity file has its private key")
	case signer != nil && isCert && !bytes.Equal(signer.PublicKey().Marshal(), cert.Marshal()):
		var err error
		if signer, err = ssh.NewCertSigner(cert, signer); err != nil {
			k.skip(c.name, err.Error())
			return nil
		}
	}
	return signer
}

// private notes why a private key cannot be used.
func (k *keys) private(file string, err error) {
	if err == nil {
		return
	}
	note := file + ": " + err.Error()
	if slices.Contains(k.skipped, note) {
		return
	}
	k.skipped = append(k.skipped, note)
	if errors.Is(err, errUnprotected) {
		k.l.progress.Warn("log in", outcome.Resource{Kind: outcome.File, ID: file, Where: k.l.String()}, "a private key is ignored because other users can read it", err)
	}
}
