package sshclient

import (
	"io"
	"strings"

	"golang.org/x/crypto/ssh"
)

// signingAlgorithms are those of PubkeyAcceptedAlgorithms that a key can sign
// with.
func (l *login) signingAlgorithms(key ssh.PublicKey) []string {
	var algorithms []string
	for _, name := range l.KeyAlgorithms {
		if keyType(name) == key.Type() {
			algorithms = append(algorithms, strings.Replace(name, "-cert-v01@openssh.com", "", 1))
		}
	}
	return algorithms
}

// watched is a signer that notes when it did not sign, and that signs with
// these algorithms only.
func (k *keys) watched(signer ssh.Signer, c candidate, algorithms []string) ssh.Signer {
	able, ok := signer.(ssh.AlgorithmSigner)
	if !ok {
		return signer
	}
	able = watchedSigner{able, func(err error) { k.skip(c.name, "it did not sign: "+err.Error()) }}
	if rsaBits(c.public) == 0 {
		return able
	}
	bound, err := ssh.NewSignerWithAlgorithms(able, algorithms)
	if err != nil {
		return able
	}
	return bound
}

type watchedSigner struct {
	ssh.AlgorithmSigner
	failed func(error)
}

// SignWithAlgorithm implements ssh.AlgorithmSigner.
func (s watchedSigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	signature, err := s.AlgorithmSigner.SignWithAlgorithm(rand, data, algorithm)
	if err != nil {
		s.failed(err)
	}
	return signature, err
}
