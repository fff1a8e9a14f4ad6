package sshconfig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/testenv"
)

// This test compares with the ssh of this machine: random files and command
// lines go to "ssh -G", which prints what it would do, and to us. OpenSSH takes
// its folders from the user database, so it runs where others are mounted in
// their places.

const (
	opensshCases = 2100
	// opensshKeys is the value of a variable that files name.
	opensshKeys = "/some/keys"
)

// opensshHosts are the names that exist, with the canonical one.
func opensshHosts() map[string]string {
	return map[string]string{
		"alias.example.test.": "real.example.test",
		"foo.example.test.":   "foo.example.test",
		"web.example.test.":   "web.example.test",
		"target":              "target", "box": "real.example.test", "web": "web", "foo": "foo",
	}
}

const opensshHostsFile = `10.0.0.1 real.example.test alias.example.test. box
10.0.0.2 foo.example.test.
10.0.0.3 web.example.test.
10.0.0.4 target
10.0.0.5 web
10.0.0.6 foo
`

func TestFilesAreReadAsByOpenSSH(t *testing.T) {
	seed := testenv.Seed(t, "HERON_SSH_SEED")
	version, err := exec.CommandContext(t.Context(), "ssh", "-V").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", version)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	shared := filepath.Join(dir, "shared")
	writeAll(t, dir, map[string]string{
		"shared/shared.conf": "Host web*\n  User shared\n", "shared/shut.conf": "Match host *.example.com\n  Port 4022\n",
		"shared/folder/x": "", "shared/key": "", "hosts": opensshHostsFile, "nsswitch.conf": "passwd: files\nhosts: files\nservices: files\n",
	})
	cases := make([]configCase, opensshCases)
	for i := range cases {
		cases[i] = newCase(seed, uint64(i), shared)
		home := fmt.Sprintf("%s/%d/home", dir, i)
		for j, arg := range cases[i].args {
			if arg == "@named" {
				cases[i].args[j] = home + "/.ssh/named"
			}
		}
		files := map[string]string{"home/.ssh/id_option": "", "etc/ssh_config.d/.keep": "", "args": opensshOptions("", cases[i].args).Args + " -G " + Quote(cases[i].target) + "\n"}
		for name, text := range cases[i].files {
			files[name] = text
		}
		writeAll(t, filepath.Join(dir, strconv.Itoa(i)), files)
	}
	runOpenSSH(t, dir, me.HomeDir, len(cases))
	failures := 0
	for i, c := range cases {
		if difference := c.compare(t, filepath.Join(dir, strconv.Itoa(i)), me.HomeDir); difference != "" {
			t.Errorf("case %d: ssh %q -G %s: %s\n%s", i, c.args, c.target, difference, c.text())
			if failures++; failures == 5 {
				t.Fatal("more cases are not reported")
			}
		}
	}
}

func writeAll(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// text shows the files of a case.
func (c configCase) text() string {
	var b strings.Builder
	for name, text := range c.files {
		fmt.Fprintf(&b, "--- %s\n%q\n%s", name, text, text)
	}
	return b.String()
}

// runOpenSSH asks ssh about all cases, in two processes at a time. The home and
// /etc/ssh are links into the folder of the case, which is the current one.
func runOpenSSH(t *testing.T, dir, home string, cases int) {
	t.Helper()
	const script = `set -e
dir=$1 home=$2 cases=$3
mkdir "$dir/home" "$dir/etc"
ln -s /proc/self/cwd/home/.ssh "$dir/home/.ssh"
for name in ssh_config ssh_config.d part0 part1 part2 'with blank'; do ln -s "/proc/self/cwd/etc/$name" "$dir/etc/$name"; done
mount --bind "$dir/home" "$home"
mount --bind "$dir/etc" /etc/ssh
mount --bind "$dir/hosts" /etc/hosts
mount --bind "$dir/nsswitch.conf" /etc/nsswitch.conf
ask() {
	n=$1
	while [ "$n" -lt "$cases" ]; do
		cd "$dir/$n"
		read -r args < args
		eval "ssh $args" > out 2> err || : > failed
		n=$((n + 2))
	done
}
ask 0 &
ask 1
wait`
	argv := []string{"unshare", "--mount"}
	if os.Geteuid() != 0 {
		argv = append(argv, "--user", "--map-current-user", "--keep-caps")
	}
	argv = append(argv, "sh", "-c", script, "sh", dir, home, strconv.Itoa(cases))
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "KEYS=" + opensshKeys, "SSH_AUTH_SOCK=/some/agent", "OTHER_SOCK=/other/agent", "SHELL=/bin/sh"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("run ssh where other folders are mounted: %v: %s", err, out)
	}
}

// opensshOptions are ours for the folder of a case.
func opensshOptions(dir string, args []string) Options {
	var words []string
	for _, arg := range args {
		words = append(words, Quote(arg))
	}
	env := map[string]string{"KEYS": opensshKeys, "SSH_AUTH_SOCK": "/some/agent", "OTHER_SOCK": "/other/agent"}
	return Options{
		Home: dir + "/home", Args: strings.Join(words, " "), Getenv: func(name string) string { return env[name] },
		System: dir + "/etc",
		look: func(_ context.Context, family, name string) (string, error) {
			if canonical, ok := opensshHosts()[name]; ok && family != "ip6" {
				return canonical, nil
			}
			return "", &net.DNSError{Name: name, IsNotFound: true}
		},
	}
}

// compare says how we differ from OpenSSH, "" if we do not.
func (c configCase) compare(t *testing.T, dir, home string) string {
	o := opensshOptions(dir, c.args)
	h, err := Resolve(t.Context(), c.target, o)
	_, failed := os.Stat(dir + "/failed")
	if failed == nil {
		if err != nil {
			return ""
		}
		reason, _ := os.ReadFile(dir + "/err")
		return fmt.Sprintf("OpenSSH refuses it, we do not: %s", reason)
	}
	out, rerr := os.ReadFile(dir + "/out")
	if rerr != nil {
		t.Fatal(rerr)
	}
	want := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		want[key] = append(want[key], value)
	}
	refused := c.refused(want, o)
	if err != nil {
		if slices.ContainsFunc(refused, func(what string) bool { return strings.Contains(err.Error(), what) }) {
			return ""
		}
		return fmt.Sprintf("we refuse it, OpenSSH does not: %v", err)
	}
	if len(refused) > 0 && refused[0] != "Match exec" {
		return fmt.Sprintf("we should refuse it: %s", refused[0])
	}
	ours := h.print()
	theirs := expected(want, h, o, home)
	for key, values := range ours {
		for i := range values {
			values[i] = strings.ReplaceAll(strings.ReplaceAll(values[i], dir+"/home", home), dir+"/etc", "/etc/ssh")
		}
		if d := cmp.Diff(theirs[key], values); d != "" {
			return fmt.Sprintf("%s differs, - OpenSSH, + we:\n%s", key, d)
		}
	}
	return ""
}

// refused are parts of the messages with which we refuse what OpenSSH does
// not. docs/upload-scp.md lists them.
func (c configCase) refused(want map[string][]string, o Options) []string {
	first := func(key string) string {
		if len(want[key]) == 0 {
			return ""
		}
		return want[key][0]
	}
	var refused []string
	if command := first("proxycommand"); command != "" && command != "none" {
		refused = append(refused, "SSH option ProxyCommand")
	}
	if slices.Contains([]string{"no", "false", "off"}, first("stricthostkeychecking")) {
		refused = append(refused, "SSH option StrictHostKeyChecking")
	}
	if slices.Contains([]string{"no", "false"}, first("pubkeyauthentication")) {
		refused = append(refused, "SSH option PubkeyAuthentication")
	}
	if methods := first("preferredauthentications"); methods != "" && !strings.Contains(methods, "publickey") {
		refused = append(refused, "SSH option PreferredAuthentications")
	}
	// ssh -G does not look at these, but ssh does.
	r := o.reader("")
	tokens, err := (&Host{}).tokens(o, "")
	for key, name := range map[string]string{"identityfile": "IdentityFile", "certificatefile": "CertificateFile", "globalknownhostsfile": "GlobalKnownHostsFile", "revokedhostkeys": "RevokedHostKeys"} {
		for _, file := range want[key] {
			file, terr := r.tilde(file)
			if _, xerr := expand(file, tokens, o.getenv); errors.Join(err, terr) != nil || xerr != nil && strings.HasSuffix(key, "file") {
				refused = append(refused, "SSH option "+name)
			}
		}
	}
	odd := func(c rune) bool { return c <= ' ' || strings.ContainsRune("/\\'\"`;|&<>", c) }
	for _, hop := range strings.FieldsFunc(first("proxyjump"), func(c rune) bool { return c == ',' }) {
		_, err := expandPercent(hop, map[byte]string{'h': "", 'n': "", 'p': "", 'r': ""})
		if _, perr := parseHop(hop); errors.Join(err, perr) != nil || strings.ContainsFunc(hop, odd) {
			refused = append(refused, "SSH option ProxyJump", "SSH jump host")
		}
	}
	here := supportedHere()
	for key, set := range map[string]algorithmSet{"ciphers": here.ciphers, "kexalgorithms": here.kex, "macs": here.macs, "hostkeyalgorithms": here.hostKeys} {
		if !slices.ContainsFunc(strings.Split(first(key), ","), func(name string) bool { return slices.Contains(set.supported, name) }) {
			refused = append(refused, "SSH option "+keywords()[key].name)
		}
	}
	for _, text := range c.files {
		if strings.Contains(text, "exec") {
			refused = append(refused, "Match exec")
		}
	}
	return refused
}

// print lists what we would do as ssh -G does.
func (h *Host) print() map[string][]string {
	flag := map[bool]string{true: "yes", false: "no"}
	var identities []string
	for _, identity := range h.Identities {
		identities = append(identities, identity.File)
	}
	sorted := func(list []string) []string { return []string{strings.Join(slices.Sorted(slices.Values(list)), ",")} }
	hops := []string{}
	for _, hop := range h.Jumps {
		t, _ := parseHop(hop)
		hops = append(hops, fmt.Sprint(t))
	}
	join := func(list []string) []string {
		if len(list) == 0 {
			return nil
		}
		return []string{strings.Join(list, " ")}
	}
	return map[string][]string{
		"user": {h.User}, "hostname": {h.HostName}, "port": {h.Port}, "addressfamily": {h.Network},
		"bindaddress": {h.BindAddress}, "bindinterface": {h.BindInterface},
		"identityfile": identities, "certificatefile": h.Certificates,
		"identitiesonly": {flag[h.OnlyIdentities]}, "identityagent": {h.Agent},
		"userknownhostsfile": join(h.KnownHosts), "globalknownhostsfile": h.GlobalKnownHosts, "revokedhostkeys": {h.RevokedKeys},
		"hashknownhosts": {flag[h.HashNames]}, "knownhostscommand": {flag[h.KnownHostsCommand]}, "hostkeyalias": {h.HostKeyAlias},
		"stricthostkeychecking": {flag[h.AcceptNew]},
		"connecttimeout":        {h.ConnectTimeout.String()}, "serveraliveinterval": {h.AliveInterval.String()},
		"serveralivecountmax": {strconv.Itoa(h.AliveCountMax)}, "requiredrsasize": {strconv.Itoa(h.MinRSABits)},
		"ciphers": sorted(h.Ciphers), "kexalgorithms": sorted(h.KeyExchanges), "macs": sorted(h.MACs),
		"hostkeyalgorithms": {strings.Join(h.HostKeyAlgorithms, ",")}, "pubkeyacceptedalgorithms": {strings.Join(h.KeyAlgorithms, ",")},
		"casignaturealgorithms": {strings.Join(h.CAAlgorithms, ",")},
		"proxyjump":             hops,
	}
}
