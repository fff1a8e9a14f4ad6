package sshconfig

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A filler turns settings into a Host and keeps the first mistake.
type filler struct {
	*reader
	h      *Host
	tokens map[byte]string
	err    error
}

// fill takes over the settings. The names come first, because the tokens of
// other values stand for them.
func (h *Host) fill(r *reader, o Options) error {
	f := filler{reader: r, h: h}
	s := r.settings
	h.Port, h.User = "22", r.user
	if port := s.get("port"); port != "" {
		h.Port = port
	}
	if user := s.get("user"); user != "" {
		h.User = user
	}
	h.HostKeyAlias = lower(s.get("hostkeyalias"))
	switch {
	case h.HostKeyAlias != "":
		h.KeyName = h.HostKeyAlias
	case h.Port == "22":
		h.KeyName = lower(h.HostName)
	default:
		h.KeyName = "[" + lower(h.HostName) + "]:" + h.Port
	}
	var err error
	if f.tokens, err = h.tokens(o, r.user); err != nil {
		return err
	}
	f.network()
	f.refusals()
	if f.err == nil {
		f.err = h.setJumps(s.jump)
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
	f.h.Network = map[string]string{"inet": "tcp4", "inet6": "tcp6"}[f.settings.get("addressfamily")]
	if f.h.Network == "" {
		f.h.Network = "tcp"
	}
	f.h.BindAddress, f.h.BindInterface = f.settings.get("bindaddress"), f.settings.get("bindinterface")
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
	h := f.h
	h.AliveInterval = 15 * time.Second
	if n := f.number("connecttimeout", 0); n > 0 {
		h.ConnectTimeout = time.Duration(n) * time.Second
	}
	if f.settings.has("serveraliveinterval") {
		h.AliveInterval = time.Duration(f.number("serveraliveinterval", 0)) * time.Second
	}
	h.AliveCountMax = f.number("serveralivecountmax", 3)
	h.MinRSABits = f.number("requiredrsasize", 1024)
}

// logInFiles finds out which keys there may be.
func (f *filler) logInFiles() {
	h, s := f.h, f.settings
	h.OnlyIdentities = s.get("identitiesonly") == "yes"
	h.Missing = s.missing
	for _, file := range s.identities {
		if lower(file.name) != "none" {
			h.Identities = append(h.Identities, Identity{File: f.path("identityfile", file.name)})
		}
	}
	if len(s.identities) == 0 {
		for _, name := range defaultIdentities() {
			h.Identities = append(h.Identities, Identity{File: filepath.Join(f.home, ".ssh", name), Default: true})
		}
	}
	for _, file := range s.certificates {
		h.Certificates = append(h.Certificates, f.path("certificatefile", file.name))
	}
	const variable = "SSH_AUTH_SOCK"
	switch socket := s.get("identityagent"); {
	case socket == "none":
	case socket == "" || socket == variable:
		h.Agent = f.getenv(variable)
	case strings.HasPrefix(socket, "$") && !strings.HasPrefix(socket, "${"):
		h.Agent = f.getenv(socket[1:])
	default:
		h.Agent = f.path("identityagent", socket)
	}
}

// defaultIdentities are the keys of ~/.ssh that are tried in the order of
// OpenSSH, where none are configured.
func defaultIdentities() []string {
	return []string{"id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss", "id_dsa"}
}

// hostKeys finds out where host keys are looked up.
func (f *filler) hostKeys() {
	h, s := f.h, f.settings
	h.KnownHosts = []string{"~/.ssh/known_hosts", "~/.ssh/known_hosts2"}
	if s.has("userknownhostsfile") {
		h.KnownHosts = s.values["userknownhostsfile"]
	}
	h.GlobalKnownHosts = []string{filepath.Join(f.system, "ssh_known_hosts"), filepath.Join(f.system, "ssh_known_hosts2")}
	if s.has("globalknownhostsfile") {
		h.GlobalKnownHosts = s.values["globalknownhostsfile"]
	}
	h.KnownHosts = f.files("userknownhostsfile", h.KnownHosts, f.path)
	h.GlobalKnownHosts = f.files("globalknownhostsfile", h.GlobalKnownHosts, f.homePath)
	h.HashNames = s.get("hashknownhosts") == "yes"
	h.AcceptNew = s.get("stricthostkeychecking") == "accept-new"
	h.KnownHostsCommand = s.has("knownhostscommand") && lower(s.get("knownhostscommand")) != "none"
	if file := s.get("revokedhostkeys"); file != "" && lower(file) != "none" {
		h.RevokedKeys = f.homePath("revokedhostkeys", file)
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
	h := f.h
	list := func(key string, usual algorithmSet) []string {
		names, err := f.choose(key, usual)
		if err != nil {
			f.wrong(key, err.Error())
		}
		return names
	}
	here := supportedHere()
	h.Ciphers = list("ciphers", here.ciphers)
	h.KeyExchanges = list("kexalgorithms", here.kex)
	h.MACs = list("macs", here.macs)
	h.HostKeyAlgorithms = list("hostkeyalgorithms", here.hostKeys)
	h.KeyAlgorithms = list("pubkeyacceptedalgorithms", here.keys)
	h.CAAlgorithms = list("casignaturealgorithms", here.authorities)
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
