package conf

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/heron-nomad/heron/internal/lazyregexp"
)

const (
	keyStateClass      = "heron.class.state.manager"
	keyStateConnection = "heron.statemgr.connection.string"
	keyStateRoot       = "heron.statemgr.root.path"
)

func (r *reader) state() State {
	const zk = "heron.statemgr.zookeeper."
	s := State{
		Kind:           r.choose(keyStateClass, stateManagers).short,
		Connection:     r.place(keyStateConnection, ""),
		Root:           r.place(keyStateRoot, ""),
		SessionTimeout: r.span(zk+"session.timeout.ms", time.Millisecond, 30*time.Second),
		ConnectTimeout: r.span(zk+"connection.timeout.ms", time.Millisecond, 30*time.Second),
		RetryCount:     take(r, 10)(r.Int(zk + "retry.count")),
		RetryInterval:  r.span(zk+"retry.interval.ms", time.Millisecond, 10*time.Second),
	}
	if s.RetryCount < 0 {
		r.wrong(zk+"retry.count", "must not be below zero", "")
	}
	if !strings.HasPrefix(s.Root, "/") {
		r.wrong(keyStateRoot, strconv.Quote(s.Root)+" is not an absolute path", "begin it with /, such as /heron")
	}
	switch s.Kind {
	case "zookeeper":
		s.InitTree = r.flag(zk+"is.initialize.tree", true)
		s.Servers = r.servers(keyStateConnection, s.Connection)
		// Blanks around the commas would become part of a host's name.
		s.Connection = strings.Join(s.Servers, ",")
		r.checkZooKeeperRoot(s.Root)
		s.ClientServers, s.ServersFrom = s.Servers, r.source(keyStateConnection)
		if own := r.place(keyZooKeeperClient, ""); own != "" {
			s.ClientServers, s.ServersFrom = r.servers(keyZooKeeperClient, own), r.source(keyZooKeeperClient)
		}
		s.ZooKeeper = r.zooKeeper()
		s.Tunnel = r.tunnel("statemgr")
	case "localfs":
		s.InitTree = r.flag("heron.statemgr.localfs.is.initialize.file.tree", true)
		if s.Connection == "" {
			s.Connection = "LOCALMODE"
		}
	}
	return s
}

// hostForm is what all of the engine's readers take for a host.
var hostForm = lazyregexp.New(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$`)

// portForm is a port without a sign.
var portForm = lazyregexp.New(`^[0-9]{1,5}$`)

// servers splits a connection string the way an executor does: host:port
// parts and nothing else. A path behind them (chroot) would lead this program
// to another folder than the executors.
func (r *reader) servers(key, connection string) []string {
	const hint = "write host:port[,host:port...]"
	switch {
	case strings.Contains(connection, "@"):
		r.wrong(key, "has a user or password in it, which others could read in packages and process lists", hint+"; credentials go into "+keyZooKeeperDigest+" or "+VarZooKeeperAuth)
		return nil
	case strings.Contains(connection, "/"):
		r.wrong(key, strconv.Quote(connection)+" has a path (chroot), which executors cannot follow: they would look for the state elsewhere", hint+"; the folder in ZooKeeper goes into "+keyStateRoot)
		return nil
	}
	servers := strings.Split(connection, ",")
	for i, server := range servers {
		servers[i] = strings.TrimSpace(server)
		host, port, err := net.SplitHostPort(servers[i])
		if strings.ContainsAny(servers[i], "[]") && !strings.Contains(host, ":") {
			host = "" // brackets are for IPv6 addresses
		}
		switch _, ip6 := netip.ParseAddr(host); {
		case ip6 == nil && strings.Contains(host, ":"), strings.Count(servers[i], ":") > 1:
			// Only this program goes where the other key says.
			if key == keyStateConnection {
				r.wrong(key, strconv.Quote(server)+" is an IPv6 address, which executors cannot connect to", "write the server's name or its IPv4 address; this program alone may go to another one, in "+keyZooKeeperClient)
				return nil
			}
			if err != nil || ip6 != nil {
				r.wrong(key, strconv.Quote(server)+" is not a server", "write an IPv6 address as [address]:port")
				return nil
			}
		case err != nil || !hostForm.MatchString(host):
			r.wrong(key, strconv.Quote(server)+" is not a server", hint)
			return nil
		}
		if !isPort(port) {
			r.wrong(key, strconv.Quote(server)+" is not a server", hint+", a port is a number from 1 to 65535")
			return nil
		}
	}
	return servers
}

// checkZooKeeperRoot refuses a root that is no path of a node.
func (r *reader) checkZooKeeperRoot(root string) {
	bad := root == "/" || strings.ContainsFunc(root, unicode.IsControl)
	for _, part := range strings.Split(root, "/") {
		bad = bad || part == "." || part == ".."
	}
	if bad {
		r.wrong(keyStateRoot, strconv.Quote(root)+" cannot be the path of a node", "name a node below /, such as /heron")
	}
}

var (
	anyToken = lazyregexp.New(`\$\{[^}]*\}`)
	// executorTokens are those that an executor replaces in statemgr.yaml.
	executorTokens = map[string]bool{"${HOME}": true, "${CLUSTER}": true, "${JAVA_HOME}": true}
)

// checkExecutorState refuses what the client could resolve and an executor,
// which reads statemgr.yaml and override.yaml by itself, could not.
func (l *Loaded) checkExecutorState() error {
	for _, key := range []string{keyStateClass, keyStateConnection, keyStateRoot} {
		e, ok := l.values[key]
		if !ok {
			continue
		}
		for _, part := range strings.Split(e.text, "/") {
			for _, token := range anyToken.FindAllString(part, -1) {
				switch {
				case !executorTokens[token]:
					return e.wrong(key, "executors cannot replace "+token, "use ~, ${HOME}, ${CLUSTER} or ${JAVA_HOME}, or write the value out")
				case token != part:
					return e.wrong(key, token+" is glued to other text", "a token must be a whole component between slashes")
				}
			}
			if part != "~" && strings.Contains(part, "~") {
				return e.wrong(key, "~ is glued to other text", "it must be a whole component between slashes")
			}
		}
	}
	return nil
}

// stateOverrides are state manager settings that executors would miss or
// misread in statemgr.yaml: values from other files, short names, and tokens
// in overrides, where executors do not look for any.
func (l *Loaded) stateOverrides() (map[string]*entry, error) {
	local, err := l.Local()
	if err != nil {
		return nil, err
	}
	out := map[string]*entry{}
	for _, key := range []string{keyStateClass, keyStateConnection, keyStateRoot} {
		e, ok := l.values[key]
		if !ok {
			continue
		}
		resolved := *local.values[key]
		if key == keyStateClass {
			for _, p := range stateManagers {
				if p.short == resolved.text {
					resolved.value, resolved.text = p.class, p.class
				}
			}
		}
		base := l.statemgr[key]
		// Executors leave a slash at the end, and two in a row, as they are.
		reshaped := !strings.Contains(e.text, "~") && !strings.Contains(e.text, "${") && resolved.text != e.text ||
			strings.Contains(e.text, "//") || strings.HasSuffix(strings.TrimSpace(e.text), "/")
		overridden, isOverridden := l.override(key)
		switch {
		case isOverridden:
			if overridden == e {
				out[key] = &resolved
			}
		case base != e, key == keyStateClass && base.text != resolved.text, key != keyStateConnection && reshaped:
			out[key] = &resolved
		}
	}
	return out, nil
}
