package sshconfig

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// algorithmSet are the algorithms for one purpose.
type algorithmSet struct {
	// usual are those that are used if none are configured, best first.
	usual []string
	// all are those that OpenSSH knows, supported those that work here.
	all, supported []string
}

type algorithmSets struct {
	ciphers, kex, macs          algorithmSet
	hostKeys, keys, authorities algorithmSet
}

// The names that OpenSSH knows, and with a * those that it uses by default.
const (
	cipherNames = `3des-cbc aes128-cbc aes192-cbc aes256-cbc aes128-ctr* aes192-ctr* aes256-ctr*
		aes128-gcm@openssh.com* aes256-gcm@openssh.com* chacha20-poly1305@openssh.com*`
	kexNames = `diffie-hellman-group1-sha1 diffie-hellman-group14-sha1 diffie-hellman-group14-sha256*
		diffie-hellman-group16-sha512* diffie-hellman-group18-sha512* diffie-hellman-group-exchange-sha1
		diffie-hellman-group-exchange-sha256* ecdh-sha2-nistp256* ecdh-sha2-nistp384* ecdh-sha2-nistp521*
		curve25519-sha256* curve25519-sha256@libssh.org* sntrup761x25519-sha512* sntrup761x25519-sha512@openssh.com*
		mlkem768x25519-sha256*`
	macNames = `hmac-sha1* hmac-sha1-96 hmac-sha2-256* hmac-sha2-512* hmac-md5 hmac-md5-96 umac-64@openssh.com*
		umac-128@openssh.com* hmac-sha1-etm@openssh.com* hmac-sha1-96-etm@openssh.com hmac-sha2-256-etm@openssh.com*
		hmac-sha2-512-etm@openssh.com* hmac-md5-etm@openssh.com hmac-md5-96-etm@openssh.com umac-64-etm@openssh.com*
		umac-128-etm@openssh.com*`
	// Of keys the order counts too; it is not that of the default.
	keyNames = `ssh-ed25519* ssh-ed25519-cert-v01@openssh.com* sk-ssh-ed25519@openssh.com*
		sk-ssh-ed25519-cert-v01@openssh.com* ecdsa-sha2-nistp256* ecdsa-sha2-nistp256-cert-v01@openssh.com*
		ecdsa-sha2-nistp384* ecdsa-sha2-nistp384-cert-v01@openssh.com* ecdsa-sha2-nistp521*
		ecdsa-sha2-nistp521-cert-v01@openssh.com* sk-ecdsa-sha2-nistp256@openssh.com*
		sk-ecdsa-sha2-nistp256-cert-v01@openssh.com* webauthn-sk-ecdsa-sha2-nistp256@openssh.com
		webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com ssh-dss ssh-dss-cert-v01@openssh.com ssh-rsa
		ssh-rsa-cert-v01@openssh.com rsa-sha2-256* rsa-sha2-256-cert-v01@openssh.com* rsa-sha2-512*
		rsa-sha2-512-cert-v01@openssh.com*`
)

// usualKeys are the algorithms of keys that are used by default, best first:
// certificates before plain keys, and the longer hash of RSA first.
func usualKeys() []string {
	_, usual := known(keyNames)
	rank := func(name string) int {
		n := 0
		for i, part := range []string{"rsa-sha2-256", "rsa-", "sk-"} {
			if strings.HasPrefix(name, part) {
				n += 4 >> i
			}
		}
		if !strings.Contains(name, "-cert-") {
			n += 8
		}
		return n
	}
	slices.SortStableFunc(usual, func(a, b string) int { return rank(a) - rank(b) })
	return usual
}

// known reads one of the lists above.
func known(list string) (all, usual []string) {
	for _, name := range strings.Fields(list) {
		name, isUsual := strings.CutSuffix(name, "*")
		all = append(all, name)
		if isUsual {
			usual = append(usual, name)
		}
	}
	return all, usual
}

// supportedHere returns what OpenSSH uses by default, as far as it works here.
// Of ciphers and the like the order is that of the library, for speed.
func supportedHere() algorithmSets {
	safe, unsafe := ssh.SupportedAlgorithms(), ssh.InsecureAlgorithms()
	ciphers := safe.Ciphers
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" && runtime.GOARCH != "s390x" {
		// Without instructions for AES the other cipher is the fast one.
		slices.SortStableFunc(ciphers, func(a, b string) int { return strings.Compare(b[:1], a[:1]) })
	}
	set := func(list string, best, worse []string) algorithmSet {
		all, usual := known(list)
		s := algorithmSet{all: all, supported: slices.Concat(best, worse)}
		for _, name := range s.supported {
			if slices.Contains(usual, name) {
				s.usual = append(s.usual, name)
			}
		}
		return s
	}
	all, _ := known(keyNames)
	usual := usualKeys()
	keys := algorithmSet{all: all, usual: usual, supported: all}
	hostKeys := keys
	hostKeys.supported = slices.Concat(safe.HostKeys, unsafe.HostKeys)
	authorities := keys
	authorities.usual = slices.DeleteFunc(slices.Clone(usual), func(name string) bool { return strings.Contains(name, "-cert-") })
	return algorithmSets{
		ciphers:  set(cipherNames, ciphers, unsafe.Ciphers),
		kex:      set(kexNames, append(safe.KeyExchanges, "curve25519-sha256@libssh.org"), unsafe.KeyExchanges),
		macs:     set(macNames, safe.MACs, unsafe.MACs),
		hostKeys: hostKeys, keys: keys, authorities: authorities,
	}
}

// checkAlgorithms refuses names that OpenSSH does not know. A list of names to
// leave out may hold anything.
func checkAlgorithms(form, list string) error {
	names := map[string]string{"ciphers": cipherNames, "macs": macNames, "kex": kexNames, "keys": keyNames}[form]
	all, _ := known(names)
	if strings.HasPrefix(list, "-") {
		return nil
	}
	if strings.HasPrefix(list, "+") || strings.HasPrefix(list, "^") {
		list = list[1:]
	}
	if list == "" {
		return errNoValue
	}
	for name := range strings.SplitSeq(list, ",") {
		if name == "" {
			break
		}
		fits := slices.ContainsFunc(all, func(one string) bool {
			return one == name || form == "keys" && (matchList(one, name) || strings.HasPrefix(name, "!") && matchPattern(one, name[1:]))
		})
		if !fits {
			return fmt.Errorf("%s is not an algorithm that OpenSSH knows", name)
		}
	}
	return nil
}

// assemble makes a list of algorithms of a value: names, which may be patterns,
// or behind + names to add to the usual ones, behind ^ names to put before
// them, behind - those to leave out.
func assemble(list string, usual, all []string) ([]string, error) {
	if list == "" {
		return slices.Clone(usual), nil
	}
	patterns := strings.Split(strings.TrimLeft(list[:1], "+-^")+list[1:], ",")
	switch list[0] {
	case '-':
		return slices.DeleteFunc(slices.Clone(usual), func(name string) bool {
			return matchList(name, list[1:])
		}), nil
	case '+':
		patterns = slices.Concat(usual, patterns)
	case '^':
		patterns = slices.Concat(patterns, usual)
	}
	var names []string
	for _, pattern := range patterns {
		if strings.HasPrefix(pattern, "!") {
			return nil, errors.New("names behind a ! are only allowed behind a -")
		}
		for _, name := range all {
			if matchPattern(name, pattern) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return nil, errors.New("no algorithm is left")
	}
	return names, nil
}
