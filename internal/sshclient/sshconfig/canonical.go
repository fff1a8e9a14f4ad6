package sshconfig

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// A lookup says whether a name exists, and its canonical name. The family is
// "ip", "ip4" or "ip6".
type lookup func(ctx context.Context, family, name string) (canonical string, err error)

// lookUp asks the system's resolver.
func lookUp(ctx context.Context, family, name string) (string, error) {
	if _, err := net.DefaultResolver.LookupIP(ctx, family, name); err != nil {
		return "", err
	}
	canonical, err := net.DefaultResolver.LookupCNAME(ctx, name)
	if err != nil {
		return "", nil
	}
	return canonical, nil
}

// onlyAddress says whether a name can only be an address, by its characters.
func onlyAddress(name string) bool {
	return strings.ContainsAny(name, "%:") || strings.Trim(name, "0123456789.") == ""
}

// isAddress says whether a name is an address, or can only be one.
func isAddress(name string) bool { return onlyAddress(name) || readIPv4(name).IsValid() }

// address is the usual form of an address, "" if the text is none of that
// family.
func address(text, family string) string {
	if a := readIPv4(text); a.IsValid() && family != "ip6" {
		return a.String()
	}
	a, err := netip.ParseAddr(text)
	if err != nil || !a.Is6() || family == "ip4" {
		return ""
	}
	if zone := a.Zone(); zone != "" {
		if _, err := net.InterfaceByName(zone); err != nil {
			return ""
		}
	}
	return a.String()
}

// readIPv4 reads the forms that the C library knows: 127.1 and 0x7f000001 are
// 127.0.0.1.
func readIPv4(text string) netip.Addr {
	parts := strings.Split(text, ".")
	if len(parts) > 4 {
		return netip.Addr{}
	}
	total := uint64(0)
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 0, 32)
		if err != nil || strings.ContainsAny(part, "_oObB") && !strings.HasPrefix(lower(part), "0x") {
			return netip.Addr{}
		}
		size := 8
		if i == len(parts)-1 {
			size = 8 * (5 - len(parts))
		}
		if n >= 1<<size {
			return netip.Addr{}
		}
		total = total<<size | n
	}
	return netip.AddrFrom4([4]byte{byte(total >> 24), byte(total >> 16), byte(total >> 8), byte(total)})
}

// canonicalize is the name to connect to, by the rules for canonical names.
// Without a lookup names stay as they are.
func (r *reader) canonicalize(ctx context.Context, name string, look lookup) (string, error) {
	s := r.settings
	family := map[string]string{"inet": "ip4", "inet6": "ip6"}[s.get("addressfamily")]
	if family == "" {
		family = "ip"
	}
	direct := s.jump == nil && (!s.has("proxycommand") || lower(s.get("proxycommand")) == "none")
	mode := s.get("canonicalizehostname")
	if isAddress(name) || mode != "" && mode != "no" {
		if a := address(name, family); strings.EqualFold(a, name) {
			return name, nil
		} else if a != "" || look == nil {
			return cmp.Or(a, name), nil
		}
		full, alias, err := r.qualify(ctx, name, family, direct, look)
		if err != nil {
			return "", err
		}
		if full != "" {
			return r.follow(full, alias, direct), nil
		}
	}
	if rules := s.values["canonicalizepermittedcnames"]; look != nil && len(rules) > 0 && rules[0] != "none" && (direct || mode == "always") {
		alias, err := look(ctx, family, name)
		switch {
		case err == nil:
			return r.follow(name, alias, direct), nil
		case direct:
			return "", &LookupError{Host: name, Reason: err}
		}
	}
	return name, nil
}

// qualify looks a name up in the domains of CanonicalDomains. It returns the
// full name that exists, "" if none does, and what that is an alias for.
func (r *reader) qualify(ctx context.Context, name, family string, direct bool, look lookup) (full, alias string, err error) {
	mode := r.settings.get("canonicalizehostname")
	if mode == "" || mode == "no" || onlyAddress(name) || !direct && mode != "always" {
		return "", "", nil
	}
	var candidates []string
	dots := 1
	if text := r.settings.get("canonicalizemaxdots"); text != "" {
		dots, _ = strconv.Atoi(text)
	}
	switch {
	case strings.HasSuffix(name, "."):
		candidates = []string{name}
	case strings.Count(name, ".") > dots:
		return "", "", nil
	default:
		for _, domain := range r.settings.values["canonicaldomains"] {
			if lower(domain) == "none" {
				break
			}
			candidates = append(candidates, name+"."+domain+".")
		}
	}
	for _, candidate := range candidates {
		if alias, err := look(ctx, family, candidate); err == nil {
			return strings.TrimSuffix(candidate, "."), alias, nil
		}
	}
	if r.settings.get("canonicalizefallbacklocal") == "no" {
		return "", "", &LookupError{Host: name, Reason: errors.New("no domain of CanonicalDomains has this name")}
	}
	return "", "", nil
}

// follow replaces an alias by its canonical name where the rules allow that.
func (r *reader) follow(name, canonical string, direct bool) string {
	canonical = strings.TrimSuffix(canonical, ".")
	mode := r.settings.get("canonicalizehostname")
	if canonical == "" || canonical == name || mode == "" || mode == "no" || !direct && mode != "always" {
		return name
	}
	for _, rule := range r.settings.values["canonicalizepermittedcnames"] {
		from, to, _ := strings.Cut(rule, ":")
		if matchList(name, lower(from)) && matchList(canonical, lower(to)) {
			return canonical
		}
	}
	return name
}
