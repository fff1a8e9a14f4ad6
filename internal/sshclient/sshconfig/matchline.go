package sshconfig

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// matchLine begins a block for connections that meet all criteria of a Match
// line.
func (r *reader) matchLine(rest string, src source, b *block) error {
	*b = block{doubt: src.doubt}
	c := &cursor{rest: rest}
	m := &matching{reader: r, result: true}
	if err := m.criteria(c); err != nil {
		return err
	}
	if !c.end && c.rest != "" {
		return errExtra
	}
	b.applies = m.result && !src.never
	if m.doubt != nil {
		b.doubt = m.doubt
	}
	return nil
}

// matching is a Match line that is being evaluated.
type matching struct {
	*reader
	result bool
	doubt  error
}

// criteria evaluates all criteria, also when one was not met: OpenSSH refuses
// what is wrong with the others too.
func (m *matching) criteria(c *cursor) error {
	count := 0
	for {
		word, ok := c.next()
		if !ok || word == "" {
			break
		}
		if word[0] == '#' {
			c.end = true
			break
		}
		name, negated := strings.CutPrefix(lower(word), "!")
		if name == "all" {
			next, ok := c.next()
			if strings.HasPrefix(next, "#") {
				c.end, ok = true, false
			}
			if count > 1 || ok && next != "" {
				return errors.New("all must stand alone")
			}
			m.meets(true, negated)
			return nil
		}
		count++
		if name == "final" || name == "canonical" {
			m.wantFinal = m.wantFinal || name == "final"
			m.meets(m.final, negated)
			continue
		}
		value, ok := c.next()
		if !ok || strings.HasPrefix(value, "#") || value == "" && name != "tagged" && name != "command" {
			return fmt.Errorf("the criterion %s needs a value", word)
		}
		if err := m.criterion(name, value, negated); err != nil {
			return err
		}
	}
	if count == 0 {
		return errors.New("a criterion is missing")
	}
	return nil
}

func (m *matching) meets(met, negated bool) { m.result = m.result && met != negated }

func (m *matching) criterion(name, value string, negated bool) error {
	switch name {
	case "host":
		host, err := m.currentHost()
		if err != nil {
			return err
		}
		m.meets(MatchHost(host, value), negated)
	case "originalhost":
		m.meets(MatchHost(m.alias, value), negated)
	case "user":
		user := m.settings.get("user")
		if user == "" {
			user = m.user
		}
		m.meets(matchList(user, value), negated)
	case "localuser":
		m.meets(matchList(m.user, value), negated)
	case "localnetwork":
		met, err := inNetwork(value)
		if err != nil {
			return err
		}
		m.meets(met, negated)
	case "tagged":
		tag := m.settings.get("tag")
		m.meets(tag == value || tag != "" && matchList(tag, value), negated)
	case "version":
		// This is no version of OpenSSH.
		m.meets(false, negated)
	case "sessiontype":
		// What a connection is for is not known when its configuration is
		// read.
		m.meets(matchList("none", value), negated)
	case "command":
		m.meets(value == "", negated)
	case "exec":
		if m.result && m.doubt == nil {
			m.doubt = &InputError{What: "SSH configuration", Value: m.where,
				Reason: "Match exec would start a program, which is not done here, so it is unknown whether this block applies; name another file with -F, or give what counts as options"}
		}
	default:
		return fmt.Errorf("%s is not a criterion", name)
	}
	return nil
}

// currentHost is the name that would be connected to as far as is known.
func (r *reader) currentHost() (string, error) {
	if r.final || !r.settings.has("hostname") {
		return r.host, nil
	}
	return expandPercent(r.settings.get("hostname"), map[byte]string{'h': r.host})
}

// inNetwork says whether an address of this machine is in a list of networks.
func inNetwork(list string) (bool, error) {
	var addresses []netip.Addr
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		return false, fmt.Errorf("find the addresses of this machine: %w", err)
	}
	for _, a := range interfaces {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			addresses = append(addresses, p.Addr().Unmap())
		}
	}
	found := false
	for text := range strings.SplitSeq(list, ",") {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			one, err := netip.ParseAddr(text)
			if err != nil {
				return false, fmt.Errorf("%s is not a network such as 10.0.0.0/8", text)
			}
			network = netip.PrefixFrom(one, one.BitLen())
		}
		for _, a := range addresses {
			found = found || network.Contains(a)
		}
	}
	return found, nil
}
