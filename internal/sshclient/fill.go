package sshclient

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
)

// A filler turns values into a login and keeps the first mistake.
type filler struct {
	v   values
	o   Options
	l   *login
	err error
}

func (f *filler) wrong(key, value, reason string) {
	if f.err == nil {
		f.err = &InputError{What: "SSH option " + keyword(key), Value: value, Reason: reason}
	}
}

// keyword spells a keyword as its manual does, where a message names it.
func keyword(key string) string {
	for _, name := range []string{"AddressFamily", "CertificateFile", "Ciphers", "ConnectTimeout", "GlobalKnownHostsFile",
		"HashKnownHosts", "HostKeyAlgorithms", "HostKeyAlias", "HostName", "IdentitiesOnly", "IdentityAgent", "IdentityFile",
		"KexAlgorithms", "MACs", "Port", "ProxyCommand", "ProxyJump", "RevokedHostKeys", "ServerAliveCountMax",
		"ServerAliveInterval", "StrictHostKeyChecking", "UserKnownHostsFile"} {
		if strings.EqualFold(name, key) {
			return name
		}
	}
	return key
}

func (f *filler) number(key string, low, high int) int {
	value := f.v.get(key)
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		f.wrong(key, value, fmt.Sprintf("must be a whole number from %d to %d", low, high))
	}
	return n
}

func (f *filler) yes(key string) bool {
	switch value := strings.ToLower(f.v.get(key)); value {
	case "yes", "true":
		return true
	case "", "no", "false":
	default:
		f.wrong(key, value, "must be yes or no")
	}
	return false
}

func (f *filler) network() string {
	switch value := strings.ToLower(f.v.get("addressfamily")); value {
	case "inet":
		return "tcp4"
	case "inet6":
		return "tcp6"
	case "", "any":
	default:
		f.wrong("addressfamily", value, "must be any, inet or inet6")
	}
	return "tcp"
}

// jumps are the hosts of ProxyJump. A command would have to be started.
func (f *filler) jumps() []string {
	if command := f.v.get("proxycommand"); command != "" && command != "none" {
		f.wrong("proxycommand", command, "no programs are started here; use ProxyJump, or set ProxyCommand=none")
	}
	list := f.v.get("proxyjump")
	if list == "" || list == "none" {
		return nil
	}
	var jumps []string
	for jump := range strings.SplitSeq(list, ",") {
		jump = f.expand("proxyjump", strings.TrimSpace(jump))
		if _, err := parseTarget(jump, true); err != nil && f.err == nil {
			f.err = err
		}
		jumps = append(jumps, jump)
	}
	return jumps
}

// logInFiles finds out what we can show to the host.
func (f *filler) logInFiles() {
	l := f.l
	l.onlyIdentities = f.yes("identitiesonly")
	for _, file := range f.v["identityfile"] {
		l.chosen = true
		if file != "none" {
			l.identities = append(l.identities, f.path("identityfile", file))
		}
	}
	if !l.chosen {
		for _, name := range []string{"id_rsa", "id_ecdsa", "id_ed25519"} {
			l.identities = append(l.identities, filepath.Join(f.o.Home, ".ssh", name))
		}
	}
	for _, file := range f.v["certificatefile"] {
		if file != "none" {
			l.certificates = append(l.certificates, f.path("certificatefile", file))
		}
	}
	switch socket := f.v.get("identityagent"); {
	case socket == "none":
	case socket == "" || socket == "SSH_AUTH_SOCK":
		l.agent = f.o.getenv("SSH_AUTH_SOCK")
	case strings.HasPrefix(socket, "$") && !strings.HasPrefix(socket, "${"):
		l.agent = f.o.getenv(socket[1:])
	default:
		l.agent = f.path("identityagent", socket)
	}
}

// hostKeys finds out where host keys are looked up.
func (f *filler) hostKeys() {
	l := f.l
	folder := filepath.Join(f.o.Home, ".ssh")
	l.knownHosts = f.files("userknownhostsfile", filepath.Join(folder, "known_hosts"), filepath.Join(folder, "known_hosts2"))
	l.globalKnownHosts = f.files("globalknownhostsfile", "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
	l.hashNames = f.yes("hashknownhosts")
	switch value := strings.ToLower(f.v.get("stricthostkeychecking")); value {
	case "", "yes", "true", "ask":
	case "accept-new":
		l.acceptNew = true
	case "no", "off", "false":
		f.wrong("stricthostkeychecking", value, "host keys are always checked here; accept-new takes the key of a host that is not known yet and keeps it")
	default:
		f.wrong("stricthostkeychecking", value, "must be yes, ask or accept-new")
	}
	if file := f.v.get("revokedhostkeys"); file != "" && file != "none" {
		f.wrong("revokedhostkeys", file, "is not read here; put the keys into known_hosts, marked @revoked")
	}
}

// files is a list of files, an empty one for "none".
func (f *filler) files(key string, usual ...string) []string {
	value := f.v.get(key)
	if value == "" {
		return usual
	}
	words, err := split(value)
	if err != nil {
		f.wrong(key, value, err.Error())
	}
	var files []string
	for _, word := range words {
		if word != "none" && word != os.DevNull {
			files = append(files, f.path(key, word))
		}
	}
	return files
}

func (f *filler) path(key, file string) string {
	file = expandHome(f.expand(key, file), f.o.Home)
	if !filepath.IsAbs(file) {
		// As ssh does, from where it is started.
		if abs, err := filepath.Abs(file); err == nil {
			file = abs
		}
	}
	return file
}

// expand replaces tokens, and environment variables in braces.
func (f *filler) expand(key, text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], "${") && key != "hostname" && key != "proxyjump":
			end := strings.IndexByte(text[i:], '}')
			if end < 0 {
				f.wrong(key, text, "a ${ has no }")
				return text
			}
			name := text[i+2 : i+end]
			value := f.o.getenv(name)
			if value == "" {
				f.wrong(key, text, "the environment variable "+name+" is not set")
			}
			b.WriteString(value)
			i += end
		case text[i] == '%' && i+1 < len(text):
			i++
			value, ok := f.token(key, text[i])
			if !ok {
				f.wrong(key, text, fmt.Sprintf("the token %%%c is not known", text[i]))
			}
			b.WriteString(value)
		default:
			b.WriteByte(text[i])
		}
	}
	return b.String()
}

func (f *filler) token(key string, c byte) (string, bool) {
	l := f.l
	switch c {
	case '%':
		return "%", true
	case 'h':
		if key == "hostname" {
			return l.alias, true
		}
		return l.host, true
	case 'n':
		return l.alias, true
	case 'p':
		return l.port, true
	case 'r':
		return l.user, true
	case 'u':
		return f.o.localUser(), true
	case 'd':
		return f.o.Home, true
	case 'i':
		return strconv.Itoa(os.Getuid()), true
	case 'k':
		if alias := f.v.get("hostkeyalias"); alias != "" {
			return alias, true
		}
		return l.alias, true
	case 'l', 'L':
		name, err := os.Hostname()
		if c == 'L' {
			name, _, _ = strings.Cut(name, ".")
		}
		return name, err == nil
	}
	return "", false
}

// algorithms are lists of names, or changes of the usual list.
func (f *filler) algorithms() {
	usual := ssh.SupportedAlgorithms()
	ciphers := slices.Clone(usual.Ciphers)
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" && runtime.GOARCH != "s390x" {
		// Without instructions for AES the other cipher is the fast one.
		slices.SortStableFunc(ciphers, func(a, b string) int {
			return strings.Compare(b[:1], a[:1])
		})
	}
	f.l.ciphers = f.choose("ciphers", ciphers)
	f.l.kex = f.choose("kexalgorithms", usual.KeyExchanges)
	f.l.macs = f.choose("macs", usual.MACs)
	if f.v.get("hostkeyalgorithms") != "" {
		f.l.hostKeyAlgorithms = f.choose("hostkeyalgorithms", usual.HostKeys)
	}
}

// choose reads a list of algorithms: names with wildcards separated by
// commas, behind + to append, - to remove, ^ to put first. Those that are not
// supported are left out.
func (f *filler) choose(key string, usual []string) []string {
	list := f.v.get(key)
	if list == "" {
		return usual
	}
	sign := list[0]
	if sign == '+' || sign == '-' || sign == '^' {
		list = list[1:]
	}
	var named []string
	for pattern := range strings.SplitSeq(list, ",") {
		for _, name := range usual {
			if matchList(strings.TrimSpace(pattern), name) && !slices.Contains(named, name) {
				named = append(named, name)
			}
		}
	}
	switch without := slices.DeleteFunc(slices.Clone(usual), func(name string) bool { return slices.Contains(named, name) }); sign {
	case '-':
		named = without
	case '^':
		named = append(named, without...)
	case '+':
		named = append(without, named...)
	}
	if len(named) == 0 {
		f.wrong(key, f.v.get(key), "none of these is supported; these are: "+strings.Join(usual, ","))
	}
	return named
}
