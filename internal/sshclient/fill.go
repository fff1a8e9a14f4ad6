package sshclient

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A filler turns settings into a login and keeps the first mistake.
type filler struct {
	*reader
	l      *login
	tokens map[byte]string
	err    error
}

// fill takes over the settings. The names come first, because the tokens of
// other values stand for them.
func (l *login) fill(r *reader, o Options) error {
	f := filler{reader: r, l: l}
	s := r.settings
	l.port, l.user = "22", r.user
	if port := s.get("port"); port != "" {
		l.port = port
	}
	if user := s.get("user"); user != "" {
		l.user = user
	}
	l.hostKeyAlias = lower(s.get("hostkeyalias"))
	switch {
	case l.hostKeyAlias != "":
		l.keyName = l.hostKeyAlias
	case l.port == "22":
		l.keyName = lower(l.host)
	default:
		l.keyName = "[" + lower(l.host) + "]:" + l.port
	}
	var err error
	if f.tokens, err = l.tokens(o, r.user); err != nil {
		return err
	}
	f.network()
	f.refusals()
	if f.err == nil {
		f.err = l.setJumps(s.jump)
	}
	f.times()
	f.logInFiles()
	f.hostKeys()
	f.algorithms()
	return f.err
}

func (f *filler) wrong(key, reason string) {
	if f.err == nil {
		f.err = &InputError{What: "SSH option " + f.keywords[key].name, Value: strings.Join(f.settings.values[key], " "), Reason: reason}
	}
}

func (f *filler) network() {
	f.l.network = map[string]string{"inet": "tcp4", "inet6": "tcp6"}[f.settings.get("addressfamily")]
	if f.l.network == "" {
		f.l.network = "tcp"
	}
	f.l.bindAddress, f.l.bindInterface = f.settings.get("bindaddress"), f.settings.get("bindinterface")
}

// refusals are what OpenSSH allows and is not done here.
func (f *filler) refusals() {
	s := f.settings
	if s.has("proxycommand") && lower(s.get("proxycommand")) != "none" {
		f.wrong("proxycommand", "no programs are started here; use ProxyJump, or set ProxyCommand=none")
	}
	if s.get("stricthostkeychecking") == "no" || s.get("stricthostkeychecking") == "off" {
		f.wrong("stricthostkeychecking", "host keys are always checked here; accept-new accepts and keeps the key of a host that is not known yet")
	}
	if s.get("pubkeyauthentication") == "no" {
		f.wrong("pubkeyauthentication", "keys are the only way to log in here; set it to yes")
	}
	if methods := s.get("preferredauthentications"); methods != "" && !slices.Contains(strings.Split(methods, ","), "publickey") {
		f.wrong("preferredauthentications", "keys are the only way to log in here; add publickey")
	}
	if s.has("refuseconnection") {
		f.wrong("refuseconnection", "the configuration forbids this connection")
	}
}

func (f *filler) number(key string, otherwise int) int {
	if n, err := strconv.Atoi(f.settings.get(key)); err == nil {
		return n
	}
	return otherwise
}

func (f *filler) times() {
	l := f.l
	l.connectTimeout, l.aliveEvery = DefaultConnectTimeout, 15*time.Second
	if n := f.number("connecttimeout", 0); n > 0 {
		l.connectTimeout = time.Duration(n) * time.Second
	}
	if f.settings.has("serveraliveinterval") {
		l.aliveEvery = time.Duration(f.number("serveraliveinterval", 0)) * time.Second
	}
	l.aliveMax = f.number("serveralivecountmax", 3)
	l.minRSA = f.number("requiredrsasize", 1024)
}

// logInFiles finds out which keys there may be.
func (f *filler) logInFiles() {
	l, s := f.l, f.settings
	l.onlyIdentities = s.get("identitiesonly") == "yes"
	l.missing = s.missing
	for _, file := range s.identities {
		if lower(file.name) != "none" {
			file.name = f.path("identityfile", file.name)
			l.identities = append(l.identities, file)
		}
	}
	if len(s.identities) == 0 {
		for _, name := range defaultIdentities() {
			l.identities = append(l.identities, keyFile{filepath.Join(f.home, ".ssh", name), fromDefault})
		}
	}
	for _, file := range s.certificates {
		file.name = f.path("certificatefile", file.name)
		l.certificates = append(l.certificates, file)
	}
	const variable = "SSH_AUTH_SOCK"
	switch socket := s.get("identityagent"); {
	case socket == "none":
	case socket == "" || socket == variable:
		l.agent = f.getenv(variable)
	case strings.HasPrefix(socket, "$") && !strings.HasPrefix(socket, "${"):
		l.agent = f.getenv(socket[1:])
	default:
		l.agent = f.path("identityagent", socket)
	}
}

// defaultIdentities are the keys of ~/.ssh that are tried in the order of
// OpenSSH, where none are configured.
func defaultIdentities() []string {
	return []string{"id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss", "id_dsa"}
}

// hostKeys finds out where host keys are looked up.
func (f *filler) hostKeys() {
	l, s := f.l, f.settings
	l.knownHosts = []string{"~/.ssh/known_hosts", "~/.ssh/known_hosts2"}
	if s.has("userknownhostsfile") {
		l.knownHosts = s.values["userknownhostsfile"]
	}
	l.globalKnownHosts = []string{filepath.Join(f.system, "ssh_known_hosts"), filepath.Join(f.system, "ssh_known_hosts2")}
	if s.has("globalknownhostsfile") {
		l.globalKnownHosts = s.values["globalknownhostsfile"]
	}
	l.knownHosts = f.files("userknownhostsfile", l.knownHosts, f.path)
	l.globalKnownHosts = f.files("globalknownhostsfile", l.globalKnownHosts, f.homePath)
	l.hashNames = s.get("hashknownhosts") == "yes"
	l.acceptNew = s.get("stricthostkeychecking") == "accept-new"
	l.command = s.has("knownhostscommand") && lower(s.get("knownhostscommand")) != "none"
	if file := s.get("revokedhostkeys"); file != "" && lower(file) != "none" {
		l.revokedKeys = f.homePath("revokedhostkeys", file)
	}
}

// files expands a list of files; none is an empty one.
func (f *filler) files(key string, names []string, expand func(key, file string) string) []string {
	if len(names) == 1 && lower(names[0]) == "none" {
		return nil
	}
	var files []string
	for _, name := range names {
		files = append(files, expand(key, name))
	}
	return files
}

// homePath expands the ~ of a file.
func (f *filler) homePath(key, file string) string {
	file, err := f.tilde(file)
	if err != nil {
		f.wrong(key, err.Error())
	}
	return file
}

// path expands the ~, the tokens and the environment variables of a file.
func (f *filler) path(key, file string) string {
	file, err := expand(f.homePath(key, file), f.tokens, f.getenv)
	if err != nil {
		f.wrong(key, err.Error())
	}
	return file
}

// algorithms are lists of names, or changes of the usual lists.
func (f *filler) algorithms() {
	l := f.l
	list := func(key string, usual algorithmSet) []string {
		names, err := f.choose(key, usual)
		if err != nil {
			f.wrong(key, err.Error())
		}
		return names
	}
	here := supportedHere()
	l.ciphers = list("ciphers", here.ciphers)
	l.kex = list("kexalgorithms", here.kex)
	l.macs = list("macs", here.macs)
	l.hostKeyAlgorithms = list("hostkeyalgorithms", here.hostKeys)
	l.keyAlgorithms = list("pubkeyacceptedalgorithms", here.keys)
	l.caAlgorithms = list("casignaturealgorithms", here.authorities)
}

// choose reads a list of algorithms and keeps those that are supported.
func (f *filler) choose(key string, usual algorithmSet) ([]string, error) {
	names, err := assemble(f.settings.get(key), usual.usual, usual.all)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !slices.Contains(usual.supported, name) })
	if len(names) == 0 {
		return nil, fmt.Errorf("none of these is supported here; these are: %s", strings.Join(usual.supported, ","))
	}
	return names, nil
}
