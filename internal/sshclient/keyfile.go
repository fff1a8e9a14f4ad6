package sshclient

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/heron-nomad/heron/internal/sshclient/sshconfig"
)

// errUnprotected is a private key that others can read.
var errUnprotected = errors.New("other users can read this private key, so it is ignored, as OpenSSH does; chmod 600 it")

// publicOf finds the public half of an identity file, where OpenSSH looks for
// it: in the file itself, in FILE.pub, or in the private key.
// It returns nil if there is none.
func publicOf(file string) ssh.PublicKey {
	for _, name := range []string{file, file + ".pub"} {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if public, _, _, _, err := ssh.ParseAuthorizedKey(text); err == nil {
			return public
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	defer clear(text)
	signer, err := ssh.ParsePrivateKey(text)
	var locked *ssh.PassphraseMissingError
	switch {
	case err == nil:
		return signer.PublicKey()
	case errors.As(err, &locked):
		return locked.PublicKey
	}
	return nil
}

// certificateOf returns the user certificate in FILE or FILE.pub, nil if that
// is none.
func certificateOf(file string) *ssh.Certificate {
	cert, ok := publicOf(file).(*ssh.Certificate)
	if !ok || cert.CertType != ssh.UserCert {
		return nil
	}
	return cert
}

// readPrivate reads a private key that has no passphrase and that nobody else
// can read.
func readPrivate(file string) (ssh.Signer, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, errors.New(sshconfig.FileReason(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, errors.New(sshconfig.FileReason(err))
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, errors.New(sshconfig.FileReason(err))
	}
	defer clear(text)
	signer, err := ssh.ParsePrivateKey(text)
	var locked *ssh.PassphraseMissingError
	known := err == nil || errors.As(err, &locked)
	switch {
	case known && exposed(info):
		return nil, errUnprotected
	case locked != nil:
		return nil, fmt.Errorf("it is encrypted, and nobody is asked for its passphrase here; give it to the agent with ssh-add %s", sshconfig.Quote(file))
	case !known:
		if _, _, _, _, err := ssh.ParseAuthorizedKey(text); err == nil {
			return nil, errors.New("it is a public key, and the agent does not have the private one")
		}
		return nil, errors.New("it is not a private key in a known format")
	}
	return signer, nil
}

// exposed says whether a file is the user's own and others can read it. Of
// other users' files OpenSSH does not ask that.
func exposed(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Getuid() && info.Mode()&0o077 != 0
}

// sameKey compares keys; a certificate is not the same as the key that it is
// for.
func sameKey(a, b ssh.PublicKey) bool {
	return a != nil && b != nil && bytes.Equal(a.Marshal(), b.Marshal())
}

// rsaBits is the size of an RSA key or of the one that a certificate is for, 0
// for keys of other types.
func rsaBits(key ssh.PublicKey) int {
	if cert, ok := key.(*ssh.Certificate); ok {
		key = cert.Key
	}
	c, ok := key.(ssh.CryptoPublicKey)
	if !ok {
		return 0
	}
	if rsa, ok := c.CryptoPublicKey().(interface{ Size() int }); ok {
		return rsa.Size() * 8
	}
	return 0
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
