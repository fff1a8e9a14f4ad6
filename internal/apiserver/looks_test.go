package apiserver

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// clock is a time that only the test moves.
type clock struct {
	start time.Time
	moved atomic.Int64
}

func (c *clock) now() time.Time          { return c.start.Add(time.Duration(c.moved.Load())) }
func (c *clock) advance(d time.Duration) { c.moved.Add(int64(d)) }

// TestLooksAreShared has requests for the status and the list answered from one
// look, until it is too old, not wanted, or wrong.
func TestLooksAreShared(t *testing.T) {
	at := &clock{start: time.Now()}
	b := newBench(t, func(o *Options) { o.Now = at.now })
	b.want(b.submit("/api/v1/topologies", b.submission()), 201)
	const words = "/api/v1/topologies/nomad/ads/prod/words"
	for _, path := range []string{words, "/api/v1/topologies", "/api/v1/topologies?role=ads"} {
		looks := func(what string, want int32, age string, header ...string) {
			t.Helper()
			before := b.nomad.asked.Load()
			a := b.send("GET", path, nil, header...)
			b.want(a, 200, `"topology":"words"`)
			if got := b.nomad.asked.Load() - before; got != want || a.header.Get("Age") != age {
				t.Errorf("%s, %s: %d looks, %q s old; want %d, %s s old", path, what, got, a.header.Get("Age"), want, age)
			}
		}
		looks("first", 1, "0")
		looks("again", 0, "0")
		at.advance(time.Second)
		looks("a second later", 0, "1")
		looks("anew", 1, "0", "Cache-Control", "No-Cache")
		looks("anew", 1, "0", "Cache-Control", "private, max-age = 0")
		looks("after one that was anew", 0, "0", "Cache-Control", "max-age=10")
		at.advance(fresh + time.Millisecond)
		looks("too old", 1, "0")
		b.want(b.send("POST", words+"/unlock", nil), 200)
		looks("after a change", 1, "0")
	}
	b.want(b.send("DELETE", words, nil), 200)
	b.want(b.send("GET", words, nil), 404)
	if list := b.send("GET", "/api/v1/topologies", nil); strings.Contains(list.body, "words") {
		t.Errorf("list after the kill: %s", list.body)
	}
}

// TestSharedLooksKeepRights lets nobody see in a shared look what he may not see.
func TestSharedLooksKeepRights(t *testing.T) {
	b := newBench(t, func(o *Options) {
		o.Auth = tokens(t, "tokens:\n"+
			"- {name: ads, sha256: "+digest("a")+", verbs: ['*'], roles: [ads]}\n"+
			"- {name: web, sha256: "+digest("w")+", verbs: ['*'], roles: [web]}\n")
	})
	b.want(b.submit("/api/v1/topologies", b.submission(), "Authorization", "Bearer a"), 201)
	for _, token := range []string{"a", "w", "a"} {
		a := b.send("GET", "/api/v1/topologies", nil, "Authorization", "Bearer "+token)
		b.want(a, 200)
		if sees := strings.Contains(a.body, "words"); sees != (token == "a") {
			t.Errorf("token %s: %s", token, a.body)
		}
		status := 200
		if token == "w" {
			status = 403
		}
		b.want(b.send("GET", "/api/v1/topologies/nomad/ads/prod/words", nil, "Authorization", "Bearer "+token), status)
	}
}
