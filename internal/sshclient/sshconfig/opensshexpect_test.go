package sshconfig

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// expected is what we should do by the output of ssh -G. Some values are
// printed before their tokens are replaced: here that is made up for. The
// tokens themselves are compared in values that are printed afterwards.
func expected(want map[string][]string, h *Host, o Options, home string) map[string][]string {
	one := func(key string) string {
		if len(want[key]) == 0 {
			return ""
		}
		return want[key][0]
	}
	r := o.reader(h.Alias)
	r.home = home
	tokens, err := h.tokens(o, r.user)
	if err != nil {
		panic(err)
	}
	tokens['d'] = home
	path := func(file string, all bool) string {
		file, err := r.tilde(file)
		if err == nil && all {
			file, err = expand(file, tokens, o.getenv)
		}
		if err != nil {
			panic(err)
		}
		return file
	}
	paths := func(files []string, all bool) []string {
		var found []string
		for _, file := range files {
			if file != "" && lower(file) != "none" {
				found = append(found, path(file, all))
			}
		}
		return found
	}
	agent := one("identityagent")
	switch agent {
	case "", "SSH_AUTH_SOCK":
		agent = "/some/agent"
	case "none":
		agent = ""
	case "$OTHER_SOCK":
		agent = "/other/agent"
	}
	timeout := "0s"
	if n := one("connecttimeout"); n != "none" && n != "0" {
		timeout = seconds(n)
	}
	alive := seconds(one("serveraliveinterval"))
	if h.AliveInterval.String() == "15s" && (alive == "0s" || alive == "5m0s" && one("batchmode") == "yes") {
		// Our default. Debian changes that of OpenSSH with BatchMode.
		alive = "15s"
	}
	here := supportedHere()
	supported := func(key string, set algorithmSet, sorted bool) []string {
		names := slices.DeleteFunc(strings.Split(one(key), ","), func(name string) bool { return !slices.Contains(set.supported, name) })
		if key == "kexalgorithms" && slices.Contains(h.KeyExchanges, "mlkem768x25519-sha256") && !slices.Contains(names, "mlkem768x25519-sha256") {
			names = append(names, "mlkem768x25519-sha256") // newer than some OpenSSH
		}
		if sorted {
			slices.Sort(names)
		}
		return []string{strings.Join(names, ",")}
	}
	hops := []string{}
	if jump := one("proxyjump"); jump != "" {
		replace := map[byte]string{'h': h.HostName, 'n': h.Alias, 'p': h.Port, 'r': h.User}
		for hop := range strings.SplitSeq(jump, ",") {
			text, err := expandPercent(hop, replace)
			t, perr := parseHop(text)
			hops = append(hops, fmt.Sprint(t))
			if err != nil || perr != nil {
				hops = append(hops, fmt.Sprint(err, perr))
			}
		}
	}
	revoked := ""
	if file := one("revokedhostkeys"); file != "" {
		revoked = path(file, false)
	}
	yes := func(ok bool) string {
		if ok {
			return "yes"
		}
		return "no"
	}
	return map[string][]string{
		"user": want["user"], "hostname": want["hostname"], "port": want["port"],
		"addressfamily": {map[string]string{"any": "tcp", "inet": "tcp4", "inet6": "tcp6"}[one("addressfamily")]},
		"bindaddress":   {one("bindaddress")}, "bindinterface": {one("bindinterface")},
		"identityfile": paths(want["identityfile"], true), "certificatefile": paths(want["certificatefile"], true),
		"identitiesonly": want["identitiesonly"], "identityagent": {agent},
		"userknownhostsfile":   paths([]string{one("userknownhostsfile")}, false),
		"globalknownhostsfile": paths(strings.Split(one("globalknownhostsfile"), " "), false),
		"revokedhostkeys":      {revoked}, "hashknownhosts": want["hashknownhosts"],
		"knownhostscommand": {yes(one("knownhostscommand") != "")}, "hostkeyalias": {one("hostkeyalias")},
		"stricthostkeychecking": {yes(one("stricthostkeychecking") == "accept-new")},
		"connecttimeout":        {timeout}, "serveraliveinterval": {alive},
		"serveralivecountmax": want["serveralivecountmax"], "requiredrsasize": want["requiredrsasize"],
		"ciphers": supported("ciphers", here.ciphers, true), "kexalgorithms": supported("kexalgorithms", here.kex, true),
		"macs": supported("macs", here.macs, true), "hostkeyalgorithms": supported("hostkeyalgorithms", here.hostKeys, false),
		"pubkeyacceptedalgorithms": supported("pubkeyacceptedalgorithms", here.keys, false),
		"casignaturealgorithms":    supported("casignaturealgorithms", here.authorities, false),
		"proxyjump":                hops,
	}
}

func seconds(text string) string {
	n, err := readTime(text)
	if err != nil {
		return err.Error()
	}
	return (time.Duration(n) * time.Second).String()
}
