package sshconfig

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// configCase is a set of files and a command line, of the kind that people
// write.
type configCase struct {
	// files are by name below "home/.ssh" and "etc".
	files  map[string]string
	args   []string
	target string
}

// writer makes random cases. Two writers of one seed make the same ones.
type writer struct {
	*rand.Rand
	// shared is a folder that OpenSSH and we see by the same name.
	shared string
	files  map[string]string
	// bad: the case may have mistakes.
	bad bool
}

func newCase(seed, number uint64, shared string) configCase {
	w := &writer{Rand: rand.New(rand.NewPCG(seed, number)), shared: shared, files: map[string]string{}}
	w.bad = w.IntN(5) == 0
	c := configCase{files: w.files}
	c.target = w.target()
	for range w.IntN(3) * w.IntN(2) {
		c.args = append(c.args, w.option()...)
	}
	if w.IntN(12) > 0 {
		w.files["home/.ssh/config"] = w.file(1, true)
	}
	if w.IntN(3) > 0 {
		w.files["etc/ssh_config"] = w.file(1, false)
	}
	if w.bad && w.one(2) {
		w.files["home/.ssh/config"] = w.slip(w.files["home/.ssh/config"])
	}
	return c
}

// slip changes a few characters of a text.
func (w *writer) slip(text string) string {
	for range 1 + w.IntN(3) {
		at := w.IntN(len(text) + 1)
		end := min(at+w.IntN(2), len(text))
		text = text[:at] + w.pick("", `"`, "'", `\`, "#", "=", " ", "\t", ",", "!", "*", "?", "%", "~", "$", "\r", "\f", "\n", "@", ":", "[", "\xff", "\x00", "\ufeff") + text[end:]
	}
	return text
}

func (w *writer) pick(list ...string) string { return list[w.IntN(len(list))] }

// one in n.
func (w *writer) one(n int) bool { return w.IntN(n) == 0 }

func (w *writer) host() string {
	return w.pick("web", "web1", "db", "DB2", "bastion", "git.example.com", "box", "alias", "foo", "deep.sub.example.com")
}

func (w *writer) address() string {
	return w.pick("127.0.0.1", "10.0.0.7", "127.1", "::1", "0:0::1", "192.168.1.20", "0x7f.1", "FE80::1")
}

func (w *writer) user() string { return w.pick("ann", "bob", "deploy", "root", "Ann") }

func (w *writer) target() string {
	host := w.host()
	if w.one(8) {
		host = w.address()
	}
	switch {
	case w.one(8) && !strings.Contains(host, ":"):
		return w.pick("ssh://", "ssh://carl@") + host + w.pick("", ":2022", "/")
	case w.one(4):
		return w.user() + "@" + host
	}
	return host
}

// option is one of a command line.
func (w *writer) option() []string {
	switch w.IntN(9) {
	case 0:
		return []string{"-p", w.pick("22", "2200", "022")}
	case 1:
		return []string{"-l", w.user()}
	case 2:
		return []string{"-i", w.pick(w.shared+"/key", w.shared+"/missing", "~/.ssh/id_option")}
	case 3:
		return []string{w.pick("-4", "-6", "-q", "-C", "-Tn")}
	case 4:
		return []string{"-J", w.jump()}
	case 5:
		return []string{"-c", w.pick("aes256-ctr", "^aes256-ctr", "+aes128-cbc")}
	case 6:
		w.files["home/.ssh/named"] = w.file(1, true)
		return []string{"-F", w.pick("none", "@named", "@named", "@named")}
	}
	key, value := w.settingAndValue()
	return []string{"-o", key + w.pick("=", " ", " = ") + value}
}

func (w *writer) jump() string {
	hop := func() string {
		return w.pick("", "", "ann@", "%r@") + w.pick("bastion", "gate", "10.0.0.9", "[::1]", "jump.example.com") + w.pick("", "", ":2022")
	}
	switch w.IntN(8) {
	case 0:
		return "none"
	case 1:
		return "ssh://ann@gate:2022"
	case 2:
		return hop() + "," + hop()
	case 3:
		return hop() + "," + hop() + "," + hop()
	}
	return hop()
}

// file writes a whole file; depth counts the includes above it.
func (w *writer) file(depth int, user bool) string {
	var b strings.Builder
	line := func(text string) {
		if w.one(12) {
			b.WriteString(w.pick("\n", "# a comment\n", "   # \"a comment\n", "\t\n", "#\n"))
		}
		b.WriteString(text + w.pick("", "", "", "", " ", "\t", "  \t") + w.pick("\n", "\n", "\n", "\n", "\n", "\r\n"))
	}
	for range w.IntN(3) {
		line(w.settingLine())
	}
	if w.one(4) {
		line(w.include(depth, user))
	}
	for range w.IntN(6) {
		line(w.header())
		for range w.IntN(5) {
			line(w.pick("  ", "    ", "\t", "", " \t ") + w.settingLine())
		}
		if w.one(6) {
			line("  " + w.include(depth, user))
		}
	}
	text := b.String()
	if w.one(10) {
		text = strings.TrimSuffix(text, "\n")
	}
	return text
}

// include writes an Include line, and the files that it names.
func (w *writer) include(depth int, user bool) string {
	if depth > 3 {
		return "# deep enough"
	}
	folder, other := "etc/", "ssh_config.d/"
	if user {
		folder, other = "home/.ssh/", "conf.d/"
	}
	var words []string
	for range 1 + w.IntN(2) {
		switch w.IntN(6) {
		case 0:
			name := fmt.Sprintf("part%d", w.IntN(3))
			w.files[folder+name] = w.file(depth+1, user)
			words = append(words, w.quoted(name))
		case 1:
			for _, name := range []string{"10-a.conf", "20-b.conf", ".hidden.conf", "README"} {
				if w.one(2) {
					w.files[folder+other+name] = w.file(depth+1, user)
				}
			}
			words = append(words, w.quoted(other+w.pick("*", "*.conf", "[12]*", "[!1]*", "?0-a.conf", "*.none", "[")))
		case 2:
			name := "with blank"
			w.files[folder+name] = w.file(depth+1, user)
			words = append(words, w.pick(`"with blank"`, `'with blank'`, `with\ blank`))
		case 3:
			words = append(words, w.quoted("missing"))
		case 4:
			if !user {
				continue
			}
			w.files["home/.ssh/tilde"] = w.file(depth+1, user)
			words = append(words, w.pick("~/.ssh/tilde", "~/.ssh/til*", `"~/.ssh/tilde"`))
		default:
			words = append(words, w.shared+w.pick("/shared.conf", "/sh*.conf", "/none.conf", "/folder"))
		}
	}
	if len(words) == 0 {
		words = []string{"missing"}
	}
	return w.keyword("Include") + w.separator() + strings.Join(words, w.pick(" ", "  ", "\t")) + w.comment()
}

// header writes a Host or a Match line.
func (w *writer) header() string {
	if w.one(3) {
		return w.keyword("Match") + w.separator() + w.criteria()
	}
	var patterns []string
	for range 1 + w.IntN(3) {
		pattern := w.pick("*", "web*", "db", "DB?", "*.example.com", "b*", "foo", "foo.example.test", "alias", "10.*", "127.0.0.1", "?b", "git*", "real.example.test", "deep.sub.example.com")
		if w.one(4) {
			pattern = "!" + pattern
		}
		patterns = append(patterns, w.quoted(pattern))
	}
	return w.keyword("Host") + w.separator() + strings.Join(patterns, w.pick(" ", "  ", "\t")) + w.comment()
}

func (w *writer) criteria() string {
	switch w.IntN(9) {
	case 0:
		return w.pick("all", "ALL", "final all", "canonical all", "!all", `"all"`, "all # everything", "!final all")
	case 1:
		return w.pick("final", "canonical", "!canonical")
	}
	var words []string
	for range 1 + w.IntN(2) {
		if w.one(6) {
			words = append(words, w.pick("final", "canonical", "!canonical", "!final"))
		}
		value := map[string]string{
			"host":         w.pick("web*", "*.example.com", "127.0.0.1", "*,!db", "foo.example.test,box", "target", "::1", "*.EXAMPLE.com"),
			"originalhost": w.pick("web,db", "DB2", "alias", "!web1,web*", "foo"),
			"user":         w.pick("ann", "ro*", "!root,*", "deploy,bob", "Ann"),
			"localuser":    w.pick("*", "nobody", "ro*", "!root"),
		}
		name := w.pick("host", "originalhost", "user", "localuser")
		if w.one(40) {
			words = append(words, "exec", w.pick(`"true"`, `"test -e /nowhere"`))
			continue
		}
		text := value[name]
		if w.one(4) {
			text = `"` + text + `"`
		}
		words = append(words, w.pick("", "", "", "!")+w.keyword(name)+w.pick(" ", " ", "  ", "=", " = ")+text)
	}
	if w.bad && w.one(8) {
		words = append(words, w.pick("host", "nonsense x", "all x", `user ""`, `user "a`))
	}
	return strings.Join(words, w.pick(" ", "  ", "\t"))
}

func (w *writer) keyword(name string) string {
	return w.pick(name, name, name, strings.ToLower(name), strings.ToUpper(name))
}

func (w *writer) separator() string { return w.pick(" ", " ", " ", "  ", "\t", "=", " = ", " =") }

func (w *writer) comment() string {
	return w.pick("", "", "", "", "", " # why", "\t#why, and \"more", " #")
}

// quoted writes a word with or without quotes.
func (w *writer) quoted(word string) string {
	switch w.IntN(8) {
	case 0:
		return `"` + word + `"`
	case 1:
		return "'" + word + "'"
	case 2:
		return word[:1] + `"` + word[1:] + `"`
	}
	return word
}

// settingLine writes one option of a file.
func (w *writer) settingLine() string {
	if w.bad && w.one(15) {
		return w.mistake()
	}
	if w.one(20) {
		return w.keyword("ProxyJump") + w.separator() + w.jump() + w.pick("", "", " # why")
	}
	if w.one(60) {
		return w.keyword("ProxyCommand") + w.separator() + w.pick("none", "None", "nc %h %p", `"ssh" -W %h:%p gate # x`)
	}
	key, value := w.settingAndValue()
	return w.keyword(key) + w.separator() + value + w.comment()
}

// mistake writes a line that OpenSSH refuses, or nearly one.
func (w *writer) mistake() string {
	return w.pick("Port", "Port 0", "Port 70000", "Port nowhere", "Port 22 23", "Nonsense yes", `User "ann`, "User 'ann", "User", `User ""`,
		"ConnectTimeout soon", "ConnectTimeout -1", "IdentitiesOnly maybe", "Ciphers none", "Ciphers aes256-ctr,nonsense", "KexAlgorithms +x",
		"HostKeyAlgorithms ssh-nothing", "HostName %x", "HostName a b", "UserKnownHostsFile none x", "UserKnownHostsFile %Q", "IdentityAgent ${NOT_SET}",
		"IdentityAgent $a-b", "IdentityFile a b", "LocalForward 8080", "LocalForward 8080 a:b", "DynamicForward x", "ProxyJump a,,b", "ProxyJump @a",
		"AddressFamily inet5", "ServerAliveCountMax x", "ServerAliveCountMax -1", "RekeyLimit x", "IPQoS nothing", "SendEnv A=B", "SetEnv A",
		"CanonicalDomains a..b", "CanonicalizePermittedCNAMEs x", "StreamLocalBindMask 9", "EscapeChar ab", "LogLevel loud", "Tunnel maybe",
		"ControlPersist soon", "AddKeysToAgent confirm x", "Include \"\"", "Host \"\"", "Match", "Match all x", "=", "\"", "'Port' 22",
		"StrictHostKeyChecking sometimes", "CompressionLevel 6", "Protocol 1,2", "Cipher 3des", "RequiredRSASize x", "VerifyHostKeyDNS x",
		"SessionType x", "RequestTTY x", "ForwardX11Timeout x", "PermitRemoteOpen x", "GSSAPIAuthentication x", "Compression true")
}
