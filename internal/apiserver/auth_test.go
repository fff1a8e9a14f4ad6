package apiserver

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/apiserver/auth"
)

func digest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// pathOf fills the parts of a route's path.
func pathOf(r route) string {
	return strings.NewReplacer("{cluster}", "nomad", "{role}", "ads", "{environment}", "prod", "{name}", "words", "{id}", "x", "{file}", "x").Replace(r.path)
}

// TestEveryRouteNeedsItsVerb sends no token, a wrong one, one with every other
// verb and one of another role to every route.
func TestEveryRouteNeedsItsVerb(t *testing.T) {
	text := "tokens:\n"
	for _, v := range auth.Verbs() {
		var others []string
		for _, o := range auth.Verbs() {
			if o != v && o != auth.Any {
				others = append(others, string(o))
			}
		}
		text += fmt.Sprintf("  - {name: not-%[1]s, sha256: %[2]s, verbs: [%[3]s], roles: [\"*\"]}\n", strings.Trim(string(v), "*"), digest("not-"+string(v)), strings.Join(others, ", "))
	}
	text += fmt.Sprintf("  - {name: elsewhere, sha256: %s, verbs: [\"*\"], roles: [other]}\n", digest("elsewhere"))
	text += fmt.Sprintf("  - {name: operator, sha256: %s, verbs: [\"*\"], roles: [\"*\"]}\n", digest("operator"))
	text += fmt.Sprintf("  - {name: all, sha256: %s, verbs: [\"*\"], roles: [ads]}\n", digest("all"))
	b := newBench(t, func(o *Options) { o.Auth = tokens(t, text) })
	for _, r := range b.server.routes() {
		t.Run(r.method+r.path, func(t *testing.T) {
			b.t = t
			at := pathOf(r)
			if r.verb == "" {
				if a := b.send(r.method, at, nil); a.status == 401 || a.status == 403 {
					t.Errorf("status %d, but it is open", a.status)
				}
				return
			}
			none := b.send(r.method, at, nil)
			b.want(none, 401, "no token", `"kind":"denied"`)
			if none.header.Get("WWW-Authenticate") == "" {
				t.Error("no WWW-Authenticate")
			}
			b.want(b.send(r.method, at, nil, "Authorization", "Bearer wrong"), 401, "not known here")
			b.want(b.send(r.method, at, nil, "Authorization", "Basic YWxsOmFsbA=="), 401)
			b.want(b.send(r.method, at, nil, "Authorization", "Bearer not-"+string(r.verb)), 403, "may not "+string(r.verb))
			if strings.Contains(r.path, "{role}") {
				b.want(b.send(r.method, at, nil, "Authorization", "Bearer elsewhere"), 403, "role ads")
			}
			all := "all"
			if strings.Contains(r.path, "/clusters/") {
				b.want(b.send(r.method, at, nil, "Authorization", "Bearer all"), 403, "some roles alone")
				all = "operator"
			}
			if a := b.send(r.method, at, nil, "Authorization", "Bearer "+all); a.status == 401 || a.status == 403 {
				t.Errorf("status %d with all rights: %s", a.status, a.body)
			}
		})
	}
	b.t = t
	b.want(b.submit("/api/v1/topologies", b.submission(), "Authorization", "Bearer elsewhere"), 403, "role ads")
	b.want(b.submit("/api/v1/topologies", b.submission(), "Authorization", "Bearer all"), 201)
	b.want(b.send("GET", "/api/v1/topologies", nil, "Authorization", "Bearer elsewhere"), 200, `{"topologies":[]}`)
	b.want(b.send("GET", "/api/v1/operations", nil, "Authorization", "Bearer elsewhere"), 200, `{"operations":[]}`)
	b.want(b.send("GET", "/api/v1/operations", nil, "Authorization", "Bearer all"), 200, `"operation":"submit"`)
	for _, secret := range []string{"Bearer all", "Bearer elsewhere", digest("all")} {
		if strings.Contains(b.log.String(), secret) {
			t.Errorf("the log has %s", secret)
		}
	}
}

func TestTokenFileIsReadAnew(t *testing.T) {
	path := t.TempDir() + "/tokens.yaml"
	line := "tokens:\n- {name: a, sha256: %s, verbs: [read], roles: ['*']}\n"
	writeFile(t, path, fmt.Sprintf(line, digest("one")))
	c, err := auth.New(path, false)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, func(o *Options) { o.Auth = c })
	b.want(b.send("GET", "/api/v1/version", nil, "Authorization", "Bearer one"), 200)
	writeFile(t, path, "# changed\n"+fmt.Sprintf(line, digest("two")))
	b.want(b.send("GET", "/api/v1/version", nil, "Authorization", "Bearer one"), 401)
	b.want(b.send("GET", "/api/v1/version", nil, "Authorization", "Bearer two"), 200)
	writeFile(t, path, "tokens: broken")
	b.want(b.send("GET", "/api/v1/version", nil, "Authorization", "Bearer two"), 500, "cannot read who may do what")
}

func TestTokenFilesThatAreWrong(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{"", "no tokens"},
		{"tokens: []", "no tokens"},
		{"tokens:\n- {sha256: " + digest("a") + ", verbs: [read], roles: [a]}", "no name"},
		{"tokens:\n- {name: a, sha256: abc, verbs: [read], roles: [a]}", "64 hex digits"},
		{"tokens:\n- {name: a, verbs: [read], roles: [a]}", "either sha256"},
		{"tokens:\n- {name: a, sha256: " + digest("a") + ", certificate: x, verbs: [read], roles: [a]}", "either sha256"},
		{"tokens:\n- {name: a, sha256: " + digest("a") + ", verbs: [reed], roles: [a]}", "unknown verb"},
		{"tokens:\n- {name: a, sha256: " + digest("a") + ", verbs: [read]}", "needs verbs and roles"},
		{"tokens:\n- {name: a, sha256: " + digest("a") + ", verb: [read], roles: [a]}", "verb"},
		{"tokens:\n- {name: a, sha256: " + digest("a") + ", verbs: [read], roles: [a]}\n- {name: b, sha256: " + digest("a") + ", verbs: [kill], roles: [a]}", "a has the same"},
	} {
		path := t.TempDir() + "/tokens.yaml"
		writeFile(t, path, c.text)
		if _, err := auth.New(path, false); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}
