package sshclient

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// listed says whether anything is known about the host.
func (k *knownHosts) listed() bool { return len(k.keys)+len(k.authorities)+len(k.bare) > 0 }

// algorithms are those by which the host may prove itself: of the types that
// are known for it, so that it does not show another of its keys.
func (k *knownHosts) algorithms() []string {
	var types []string
	for _, key := range slices.Concat(k.keys, k.bare) {
		types = append(types, key.Key.Type())
	}
	var algorithms []string
	for _, name := range k.l.hostKeyAlgorithms {
		certificate := strings.Contains(name, "-cert-")
		ok := len(types) == 0 && len(k.authorities) == 0 && !certificate
		ok = ok || certificate && len(k.authorities) > 0
		ok = ok || slices.Contains(types, keyType(name))
		if ok {
			algorithms = append(algorithms, name)
		}
	}
	if len(algorithms) == 0 {
		// Nothing fits both; the host's key is then reported as it is.
		return k.l.hostKeyAlgorithms
	}
	return algorithms
}

// keyType is the type of key that an algorithm signs with.
func keyType(algorithm string) string {
	switch algorithm {
	case ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512:
		return ssh.KeyAlgoRSA
	case ssh.CertAlgoRSASHA256v01, ssh.CertAlgoRSASHA512v01:
		return ssh.CertAlgoRSAv01
	}
	return algorithm
}

// check says whether a key is the host's, and good enough. A new one is kept if
// that was asked for.
func (k *knownHosts) check(remote net.Addr, key ssh.PublicKey) error {
	if bits := rsaBits(key); bits > 0 && bits < k.l.minRSA {
		e := k.failed(key, KeyWeak, "")
		e.reason = fmt.Sprintf("%d bits are fewer than the %d of RequiredRSASize", bits, k.l.minRSA)
		return e
	}
	if err := k.revoked(key); err != nil {
		return err
	}
	err := k.lookup(k.l.keyName, remote, key)
	var unknown *knownhosts.KeyError
	var revoked *knownhosts.RevokedError
	switch {
	case err == nil:
		return k.certificate(key)
	case errors.As(err, &revoked):
		return k.failed(key, KeyRevoked, fmt.Sprintf("%s:%d", k.names[revoked.Revoked.Filename], revoked.Revoked.Line))
	case !errors.As(err, &unknown):
		// A certificate: which rule it breaks is in the text.
		e := k.failed(key, KeyCertificate, "")
		e.reason = err.Error()
		return e
	case len(k.keys) > 0:
		return k.failed(key, KeyChanged, k.where(k.keys))
	}
	for _, bare := range k.bare {
		if bytes.Equal(bare.Key.Marshal(), key.Marshal()) {
			return nil
		}
	}
	if k.l.acceptNew {
		return k.l.keep(key)
	}
	return k.failed(key, KeyUnknown, "")
}

// certificate refuses one whose authority signed with an algorithm that
// CASignatureAlgorithms does not allow.
func (k *knownHosts) certificate(key ssh.PublicKey) error {
	cert, ok := key.(*ssh.Certificate)
	if !ok || slices.Contains(k.l.caAlgorithms, cert.Signature.Format) {
		return nil
	}
	e := k.failed(key, KeyCertificate, "")
	e.reason = "CASignatureAlgorithms does not allow its signature, " + cert.Signature.Format
	return e
}

// revoked looks a key up in the file of RevokedHostKeys, which has a public key
// on each line.
func (k *knownHosts) revoked(key ssh.PublicKey) error {
	file := k.l.revokedKeys
	if file == "" {
		return nil
	}
	bad := func(reason string) error {
		return &InputError{What: "SSH option RevokedHostKeys", Value: file, Reason: reason}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return bad(plainReason(err))
	}
	if bytes.HasPrefix(text, []byte("SSHKRL\n")) {
		return bad("key revocation lists in binary form are not read here; name a file with one public key on each line")
	}
	shown := []ssh.PublicKey{key}
	if cert, ok := key.(*ssh.Certificate); ok {
		shown = []ssh.PublicKey{cert.Key, cert.SignatureKey}
	}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		public, _, _, _, err := ssh.ParseAuthorizedKey(line)
		if err != nil {
			return bad(fmt.Sprintf("line %d is not a public key", number))
		}
		if slices.ContainsFunc(shown, func(s ssh.PublicKey) bool { return sameKey(s, public) }) {
			return k.failed(key, KeyRevoked, fmt.Sprintf("%s:%d", file, number))
		}
	}
	return nil
}
