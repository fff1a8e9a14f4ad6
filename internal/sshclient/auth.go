package sshclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// keys are what we can show to a host, and why some of it cannot be.
type keys struct {
	signers []ssh.Signer
	// tried names them, skipped what was asked for and cannot be used.
	tried, skipped []string
	// agent is the connection to the agent, held the keys that it has.
	agent net.Conn
	held  []ssh.Signer
}

func (k *keys) close() {
	if k.agent != nil {
		_ = k.agent.Close()
	}
}

// keys collects them in the order in which they are shown. Hosts bear only a
// few, so those that somebody chose come before whatever else the agent has.
// An agent that does not answer is given up with the context.
func (l *login) keys(ctx context.Context) *keys {
	k := &keys{}
	k.ask(ctx, l.agent)
	held := k.held
	used := make([]bool, len(held))
	var identities []ssh.Signer
	var names []string
	for _, file := range l.identities {
		public, signer := k.identity(file, l.chosen)
		found := false
		for i, s := range held {
			if public != nil && sameKey(s.PublicKey(), public) {
				found = true
				if !used[i] {
					used[i] = true
					identities, names = append(identities, s), append(names, file+" (agent)")
				}
			}
		}
		if !found && signer != nil {
			identities, names = append(identities, signer), append(names, file)
		}
	}
	identities, names = k.certified(l, identities, names)
	var others []ssh.Signer
	var otherNames []string
	for i, s := range held {
		if !used[i] && !l.onlyIdentities {
			others, otherNames = append(others, s), append(otherNames, "agent's "+ssh.FingerprintSHA256(s.PublicKey()))
		}
	}
	if l.chosen {
		k.signers, k.tried = slices.Concat(identities, others), slices.Concat(names, otherNames)
	} else {
		k.signers, k.tried = slices.Concat(others, identities), slices.Concat(otherNames, names)
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
		k.skipped = append(k.skipped, "the agent at "+socket+": "+reasonOf(err))
		return
	}
	k.agent = conn
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	// The client reads ahead, so there is one for the connection.
	if k.held, err = agent.NewClient(conn).Signers(); err != nil {
		k.skipped = append(k.skipped, "the agent at "+socket+": it does not tell its keys")
	}
}

// identity reads a key file. The public half may be known where the private
// one is encrypted or elsewhere.
func (k *keys) identity(file string, chosen bool) (ssh.PublicKey, ssh.Signer) {
	skip := func(reason string) {
		k.skipped = append(k.skipped, file+": "+reason)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		if chosen || !errors.Is(err, fs.ErrNotExist) {
			skip(plainReason(err))
		}
		return publicHalf(file), nil
	}
	defer clear(text)
	signer, err := ssh.ParsePrivateKey(text)
	var locked *ssh.PassphraseMissingError
	switch {
	case err == nil:
		return signer.PublicKey(), signer
	case errors.As(err, &locked):
		public := locked.PublicKey
		if public == nil {
			public = publicHalf(file)
		}
		if !k.holds(public) {
			skip("it is encrypted, and nobody is asked for its passphrase here; give it to the agent with ssh-add " + quote(file))
		}
		return public, nil
	}
	if public, _, _, _, err := ssh.ParseAuthorizedKey(text); err == nil {
		// A public key names one of the agent's.
		return public, nil
	}
	skip("it is no private key in a known format")
	return nil, nil
}

// holds says whether the agent has a key.
func (k *keys) holds(public ssh.PublicKey) bool {
	return public != nil && slices.ContainsFunc(k.held, func(s ssh.Signer) bool {
		return sameKey(s.PublicKey(), public)
	})
}

func publicHalf(file string) ssh.PublicKey {
	text, err := os.ReadFile(file + ".pub")
	if err != nil {
		return nil
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return nil
	}
	return public
}

// sameKey compares keys, that of a certificate being the one it is for.
func sameKey(a, b ssh.PublicKey) bool {
	bare := func(k ssh.PublicKey) []byte {
		if cert, ok := k.(*ssh.Certificate); ok {
			k = cert.Key
		}
		return k.Marshal()
	}
	return bytes.Equal(bare(a), bare(b))
}

// certified puts certificates for the identities before them.
func (k *keys) certified(l *login, signers []ssh.Signer, names []string) ([]ssh.Signer, []string) {
	files := slices.Clone(l.certificates)
	for _, file := range l.identities {
		files = append(files, strings.TrimSuffix(file, ".pub")+"-cert.pub")
	}
	var certs []ssh.Signer
	var certNames []string
	for i, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			if i < len(l.certificates) {
				k.skipped = append(k.skipped, file+": "+plainReason(err))
			}
			continue
		}
		public, _, _, _, err := ssh.ParseAuthorizedKey(text)
		cert, ok := public.(*ssh.Certificate)
		if err != nil || !ok {
			k.skipped = append(k.skipped, file+": it is no certificate")
			continue
		}
		for _, s := range signers {
			if _, is := s.PublicKey().(*ssh.Certificate); is || !sameKey(s.PublicKey(), cert) {
				continue
			}
			if signer, err := ssh.NewCertSigner(cert, s); err == nil {
				certs, certNames = append(certs, signer), append(certNames, file)
				break
			}
		}
	}
	return append(certs, signers...), append(certNames, names...)
}

// refused says what was shown to the host in vain.
func (l *login) refused(k *keys) error {
	tried := "no key to show"
	if len(k.tried) > 0 {
		tried = "tried " + strings.Join(k.tried, ", ")
	}
	if len(k.skipped) > 0 {
		tried += "; not usable: " + strings.Join(k.skipped, ", ")
	}
	return fmt.Errorf("log in to %s: %w: %s; name the key with -i FILE, and put its public half into the authorized_keys of %s there", l, ErrAuth, tried, l.user)
}

// reasonOf is a network error without addresses.
func reasonOf(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		err = call.Err
	}
	return err.Error()
}
