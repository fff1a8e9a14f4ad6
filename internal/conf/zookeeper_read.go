package conf

import (
	"math"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"unicode"
)

func (r *reader) zooKeeper() ZooKeeperAccess {
	a := ZooKeeperAccess{TLS: r.zooKeeperTLS(), ACL: r.zooKeeperACL()}
	a.Digest, a.DigestFrom = r.zooKeeperDigest()
	if _, ok := r.lookup(keyZooKeeperLimit); ok {
		limit := r.size(keyZooKeeperLimit)
		if limit > math.MaxInt32 {
			r.wrong(keyZooKeeperLimit, "is above 2147483647 bytes, which no server can be set to", "use the servers' jute.maxbuffer")
		}
		a.RequestLimit = int(limit)
	}
	return a
}

// zooKeeperDigest takes the credentials from the environment, else from the
// file. An empty variable says nothing.
func (r *reader) zooKeeperDigest() (digest Secret, from string) {
	file := r.absolute(keyZooKeeperDigest)
	if text := r.getenv(VarZooKeeperAuth); text != "" {
		if msg := badDigest(text); msg != "" {
			r.fail(&Error{Source: Source{Kind: EnvironmentSource, Name: VarZooKeeperAuth}, Msg: msg, Hint: "set it to user:password"})
		}
		return Secret(text), VarZooKeeperAuth
	}
	if file == "" {
		return "", ""
	}
	digest = r.secretFrom(file, r.source(keyZooKeeperDigest), "user:password")
	if msg := badDigest(string(digest)); msg != "" {
		r.wrong(keyZooKeeperDigest, file+" "+msg, "write user:password into it and nothing else")
	}
	return digest, file
}

// badDigest says what is wrong with credentials, without showing them.
func badDigest(text string) string {
	user, password, found := strings.Cut(text, ":")
	switch {
	case !found || user == "" || password == "":
		return "does not hold a user, a colon and a password"
	case strings.ContainsFunc(text, unicode.IsControl):
		return "holds a line break or another control character"
	}
	return ""
}

func (r *reader) zooKeeperTLS() *ZooKeeperTLS {
	t := &ZooKeeperTLS{
		CACert:     r.absolute(keyZooKeeperCACert),
		ClientCert: r.absolute(keyZooKeeperClientCert),
		ClientKey:  r.secretKeyFile(keyZooKeeperClientKey),
		ServerName: r.text(keyZooKeeperServerName, ""),
		SkipVerify: r.flag(keyZooKeeperSkipVerify, false),
	}
	enabled := r.flag(keyZooKeeperTLS, false)
	switch {
	case !enabled && *t != ZooKeeperTLS{}:
		// Half of it would be worse than an error: a connection that its owner
		// takes for a safe one.
		r.wrong(firstKey(r, keyZooKeeperCACert, keyZooKeeperClientCert, keyZooKeeperClientKey, keyZooKeeperServerName, keyZooKeeperSkipVerify),
			"is set, but TLS is not switched on", "set "+keyZooKeeperTLS+": true, or leave this out")
	case t.ClientCert != "" && t.ClientKey == "":
		r.wrong(keyZooKeeperClientCert, "is a certificate without its key", "set "+keyZooKeeperClientKey+" too")
	case t.ClientCert == "" && t.ClientKey != "":
		r.wrong(keyZooKeeperClientKey, "is a key without its certificate", "set "+keyZooKeeperClientCert+" too")
	case t.SkipVerify && (t.CACert != "" || t.ServerName != ""):
		r.wrong(keyZooKeeperSkipVerify, "takes any certificate, but another key says which one to take", "leave one of them out")
	}
	for _, key := range []string{keyZooKeeperCACert, keyZooKeeperClientCert, keyZooKeeperClientKey} {
		if file := r.text(key, ""); file != "" {
			if _, err := os.Stat(file); err != nil {
				r.wrong(key, "cannot be read: "+err.Error(), "name a PEM file of this machine")
			}
		}
	}
	if !enabled {
		return nil
	}
	return t
}

// firstKey is the first of the keys that is set.
func firstKey(r *reader, keys ...string) string {
	for _, key := range keys {
		if _, ok := r.lookup(key); ok {
			return key
		}
	}
	return keys[0]
}

// allPerms are the letters of all permissions.
const allPerms = "cdrwa"

func (r *reader) zooKeeperACL() ZooKeeperACL {
	const hint = "use open, protected, or a list such as auth::cdrwa,ip:10.0.0.0/8:cdrwa,world:anyone:r"
	var acl ZooKeeperACL
	texts := r.list(keyZooKeeperACL, []string{"open"})
	if len(texts) == 1 {
		switch strings.TrimSpace(texts[0]) {
		case "open":
			return acl
		case "protected":
			return ZooKeeperACL{Protected: true}
		}
	}
	someoneHasAll := false
	for _, text := range texts {
		entry, msg := parseACLEntry(strings.TrimSpace(text))
		if msg != "" {
			r.wrong(keyZooKeeperACL, strconv.Quote(text)+" "+msg, hint)
			return acl
		}
		acl.Entries = append(acl.Entries, entry)
		someoneHasAll = someoneHasAll || len(entry.Perms) == len(allPerms)
	}
	if !someoneHasAll {
		r.wrong(keyZooKeeperACL, "gives nobody all permissions, so nobody could remove the nodes", "give somebody "+allPerms)
	}
	return acl
}

// parseACLEntry reads scheme:id:permissions, the form of ZooKeeper's own
// client. The id may hold colons.
func parseACLEntry(text string) (entry ACLEntry, msg string) {
	scheme, rest, _ := strings.Cut(text, ":")
	at := strings.LastIndex(rest, ":")
	if at < 0 {
		return entry, "is not a scheme, an id and permissions"
	}
	entry = ACLEntry{Scheme: scheme, ID: rest[:at], Perms: rest[at+1:]}
	if entry.Perms == "" || strings.Trim(entry.Perms, allPerms) != "" {
		return entry, "does not end in permissions, some of " + allPerms
	}
	for _, p := range entry.Perms {
		if strings.Count(entry.Perms, string(p)) > 1 {
			return entry, "gives a permission twice"
		}
	}
	switch {
	case scheme == "world" && entry.ID != "anyone":
		return entry, "must be world:anyone"
	case scheme == "auth" && entry.ID != "":
		return entry, "has an id, but auth stands for every authenticated user: write auth::" + entry.Perms
	case scheme == "ip" && !addressOrNetwork(entry.ID):
		return entry, "does not name an address or a network"
	case scheme == "digest":
		return entry, "holds a password's digest, by which the password can be guessed: use auth, which stands for every authenticated user"
	case (scheme == "x509" || scheme == "sasl") && entry.ID == "":
		return entry, "has no id"
	}
	switch scheme {
	case "world", "auth", "ip", "x509", "sasl":
		return entry, ""
	}
	return entry, "has an unknown scheme: use world, auth, ip, x509 or sasl"
}

func addressOrNetwork(text string) bool {
	if _, err := netip.ParsePrefix(text); err == nil {
		return true
	}
	_, err := netip.ParseAddr(text)
	return err == nil
}
