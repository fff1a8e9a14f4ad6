package sshclient

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/heron-nomad/heron/internal/sshclient/sshconfig"
)

// with returns the lines with a marker.
func with(lines []knownKey, marker string) []knownKey {
	return slices.DeleteFunc(slices.Clone(lines), func(k knownKey) bool { return k.marker != marker })
}

// listed says whether any key is known that the host may show.
func (k *knownHosts) listed() bool {
	return slices.ContainsFunc(k.named, func(k knownKey) bool { return k.marker != "revoked" })
}

// algorithms are those by which the host may prove itself: of the types that
// are known for it, so that it does not show another of its keys. What is known
// for its name alone only comes first.
func (k *knownHosts) algorithms() []string {
	fitting := func(known []knownKey) []string {
		authority := len(with(known, "cert-authority")) > 0
		return slices.DeleteFunc(slices.Clone(k.l.HostKeyAlgorithms), func(name string) bool {
			if strings.Contains(name, "-cert-") {
				return !authority
			}
			return !slices.ContainsFunc(with(known, ""), func(known knownKey) bool { return known.key.Type() == keyType(name) })
		})
	}
	if algorithms := fitting(k.named); len(algorithms) > 0 {
		return algorithms
	}
	algorithms := fitting(k.bare)
	for _, name := range k.l.HostKeyAlgorithms {
		if !slices.Contains(algorithms, name) && !strings.Contains(name, "-cert-") {
			algorithms = append(algorithms, name)
		}
	}
	if len(algorithms) == 0 {
		// Nothing fits; the host's key is then reported as it is.
		return k.l.HostKeyAlgorithms
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
func (k *knownHosts) check(key ssh.PublicKey) error {
	if bits := rsaBits(key); bits > 0 && bits < k.l.MinRSABits {
		e := k.failed(key, KeyWeak, "")
		e.reason = fmt.Sprintf("%d bits are fewer than the %d of RequiredRSASize", bits, k.l.MinRSABits)
		return e
	}
	if err := k.revoked(key); err != nil {
		return err
	}
	for _, known := range with(slices.Concat(k.named, k.bare), "revoked") {
		if slices.ContainsFunc(keysOf(key), func(shown ssh.PublicKey) bool { return sameKey(shown, known.key) }) {
			return k.failed(key, KeyRevoked, known.place())
		}
	}
	if cert, ok := key.(*ssh.Certificate); ok {
		if slices.ContainsFunc(with(slices.Concat(k.named, k.bare), "cert-authority"), func(known knownKey) bool { return sameKey(known.key, cert.SignatureKey) }) {
			return k.certificate(cert)
		}
		// Its authority is not known, but the key itself may be.
		key = cert.Key
	}
	is := func(known knownKey) bool { return sameKey(known.key, key) }
	plain := with(k.named, "")
	switch {
	case slices.ContainsFunc(plain, is):
		return nil
	case len(plain) > 0:
		return k.failed(key, KeyChanged, places(plain))
	case slices.ContainsFunc(with(k.bare, ""), is):
		return nil
	case k.l.AcceptNew:
		return k.l.keep(key)
	}
	return k.failed(key, KeyUnknown, "")
}

// keysOf are the keys that vouch for a host: its own, and that of the authority
// which signed it.
func keysOf(key ssh.PublicKey) []ssh.PublicKey {
	if cert, ok := key.(*ssh.Certificate); ok {
		return []ssh.PublicKey{cert.Key, cert.SignatureKey}
	}
	return []ssh.PublicKey{key}
}

// certificate checks one whose authority is known: that it is for this host,
// and signed with an algorithm that CASignatureAlgorithms allows.
func (k *knownHosts) certificate(cert *ssh.Certificate) error {
	name := k.l.HostKeyAlias
	if name == "" {
		name = k.l.HostName
	}
	err := (&ssh.CertChecker{}).CheckCert(name, cert)
	switch {
	case cert.CertType != ssh.HostCert:
		err = errors.New("it is not a certificate for hosts")
	case err == nil && !slices.Contains(k.l.CAAlgorithms, cert.Signature.Format):
		err = fmt.Errorf("CASignatureAlgorithms does not allow its signature, %s", cert.Signature.Format)
	}
	if err == nil {
		return nil
	}
	e := k.failed(cert, KeyCertificate, "")
	e.reason = err.Error()
	return e
}

// revoked looks a key up in the file of RevokedHostKeys, which has a public key
// on each line.
func (k *knownHosts) revoked(key ssh.PublicKey) error {
	file := k.l.RevokedKeys
	if file == "" {
		return nil
	}
	bad := func(reason string) error {
		return &sshconfig.InputError{What: "SSH option RevokedHostKeys", Value: file, Reason: reason}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return bad(sshconfig.FileReason(err))
	}
	if bytes.HasPrefix(text, []byte("SSHKRL\n")) {
		return bad("key revocation lists in binary form are not read here; name a file with one public key on each line")
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
		if slices.ContainsFunc(keysOf(key), func(s ssh.PublicKey) bool { return sameKey(s, public) }) {
			return k.failed(key, KeyRevoked, fmt.Sprintf("%s:%d", file, number))
		}
	}
	return nil
}

// places are where keys are known.
func places(known []knownKey) string {
	var places []string
	for _, k := range known {
		places = append(places, k.place())
	}
	return strings.Join(places, ", ")
}
