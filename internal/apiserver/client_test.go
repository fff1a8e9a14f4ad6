package apiserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/apiclient"
	"github.com/heron-nomad/heron/internal/apiserver/auth"
	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/inspect"
	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/wire"
)

// client is our own client of the bench's server.
func (b *bench) client(o apiclient.Options) *apiclient.Topologies {
	b.t.Helper()
	if o.URL == "" {
		o.URL = b.url
	}
	c, err := apiclient.Connect(b.t.Context(), o)
	b.Must(err)
	if c.Original() {
		b.t.Error("the server is taken for the original")
	}
	return c.At(apiclient.Place{Cluster: "nomad", Role: "ads", Environ: "prod", User: "ann"})
}

// order is a submission of a small topology.
func (b *bench) order(size int64, properties ...string) apiclient.Submission {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), "words.jar")
	writeFile(b.t, file, "a jar")
	b.Must(os.Truncate(file, size))
	return apiclient.Submission{Definition: clustertest.Words("words-1"), File: file, Properties: properties}
}

func (b *bench) fails(err error, kind outcome.Kind, words ...string) {
	b.t.Helper()
	if outcome.KindOf(err) != kind {
		b.t.Errorf("kind %q, want %q: %v", outcome.KindOf(err), kind, err)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			b.t.Errorf("no %q in: %v", w, err)
		}
	}
}

func TestOwnClient(t *testing.T) {
	b := newBench(t, nil)
	ctx := t.Context()
	var steps []string
	to := b.client(apiclient.Options{Progress: func(e progress.Event) { steps = append(steps, e.Step+" "+e.What.Kind) }})
	one := b.order(5)
	text, err := to.DryRun(ctx, one, "json")
	if err != nil || !strings.Contains(text, `"packingClass"`) {
		t.Errorf("%s, %v", text, err)
	}
	planned, err := to.Preview(ctx, one)
	if err != nil || len(planned) != 1 || planned[0].Exists || len(planned[0].Creates) == 0 {
		t.Errorf("%+v, %v", planned, err)
	}
	done, err := to.Submit(ctx, one)
	if err != nil || len(done) != 1 || done[0].ID != "words-1" || done[0].Containers != 3 || done[0].PackageSize == 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	if all := strings.Join(steps, ", "); !strings.Contains(all, "upload file, ") || !strings.Contains(all, "register job") {
		t.Errorf("steps: %s", all)
	}
	_, err = to.Submit(ctx, one)
	b.fails(err, outcome.Exists, "already exists", "request ")
	_, err = to.Submit(ctx, b.order(5, "heron.class.uploader=x"))
	b.fails(err, outcome.Denied, "heron.class.uploader")
	history, err := to.History(ctx, "words")
	if err != nil || len(history.Versions) != 1 || history.Versions[0].By != "ann" {
		t.Errorf("%+v, %v", history, err)
	}
	unlocked, err := to.Unlock(ctx, "words", lifecycle.UnlockOptions{})
	if err != nil || unlocked.Topology != "words" || unlocked.Remedy != nil {
		t.Errorf("%+v, %v", unlocked, err)
	}
	for kind, want := range map[string]string{wire.Components: "[bolt spout]", wire.Containers: "[0 1 2]", wire.Versions: "[1]", "": "[words]"} {
		names, err := to.Names(ctx)
		if kind != "" {
			names, err = to.PartNames(ctx, "words", kind)
		}
		if got := fmt.Sprint(names); err != nil || got != want {
			t.Errorf("%s: %s, %v", kind, got, err)
		}
	}
	_, err = to.PartNames(ctx, "words", "things")
	b.fails(err, outcome.NotFound, "things")
	if names, err := to.PartNames(ctx, "nothing", wire.Components); err != nil || len(names) > 0 {
		t.Errorf("%v, %v", names, err)
	}
	killed, err := to.Kill(ctx, "words", lifecycle.KillOptions{})
	if err != nil || !killed.Found || len(killed.Removed) == 0 {
		t.Errorf("%+v, %v", killed, err)
	}
	_, err = to.Kill(ctx, "words", lifecycle.KillOptions{})
	b.fails(err, outcome.NotFound, "no topology")
	if killed, err := to.Kill(ctx, "words", lifecycle.KillOptions{IgnoreMissing: true}); err != nil || killed.Found {
		t.Errorf("%+v, %v", killed, err)
	}
	if list, err := to.List(ctx, inspect.Filter{Role: "ads"}); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if left := b.Left(); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// Clients learn at once that the cluster is protected; the server kills all the
// same.
func TestOwnClientLearnsOfProtection(t *testing.T) {
	if newBench(t, nil).client(apiclient.Options{}).Client().Protected() {
		t.Error("protected without the setting")
	}
	b := newBench(t, func(o *Options) { o.Base.Properties = append(o.Base.Properties, "heron.nomad.protected=true") })
	to := b.client(apiclient.Options{})
	if !to.Client().Protected() {
		t.Error("not protected")
	}
	if done, err := to.Kill(t.Context(), "words", lifecycle.KillOptions{IgnoreMissing: true}); err != nil || done.Found {
		t.Errorf("%+v, %v", done, err)
	}
}

// A failure through the server names whose claim is in the way.
func TestOwnClientLearnsWhoHoldsTheClaim(t *testing.T) {
	b := newBench(t, nil)
	owner := statemgr.NewOwner(statemgr.OperationUpdate, "bob", time.Now())
	claim, err := operation.Take(t.Context(), b.Cluster.State, nil, "words", statemgr.Intent{Operation: owner.Doing, TopologyID: "words-1", Owner: owner}, nil)
	b.Must(err)
	defer claim.Release(t.Context())
	_, err = b.client(apiclient.Options{}).Kill(t.Context(), "words", lifecycle.KillOptions{})
	b.fails(err, outcome.Busy, "update of user bob", "request ")
	var told *apiclient.Problem
	want := operation.Holder{Command: owner.Doing, User: "bob", Host: owner.Host, PID: owner.PID, Since: owner.Since}
	if !errors.As(err, &told) || told.Told.Holder == nil || *told.Told.Holder != want {
		t.Errorf("%+v, want %+v", told, want)
	}
}

// An operation that fails half way is told as a command line tells it.
func TestOwnClientLearnsWhatIsUndone(t *testing.T) {
	b := newBench(t, nil)
	b.before = func(context.Context) error { return outcome.New(outcome.Unreachable, "Nomad is down") }
	_, err := b.client(apiclient.Options{}).Submit(t.Context(), b.order(5))
	b.fails(err, outcome.Unreachable, "Nomad is down")
}

func TestOwnClientsRights(t *testing.T) {
	b := newBench(t, func(o *Options) {
		o.Auth = tokens(t, `tokens:
  - {name: ci, sha256: d0c04f4b1951e4aeaaec8223ed2039e542f3aae805a6fa7f6d794e5afff5d272, verbs: ["*"], roles: ["*"]}
`)
	})
	for _, token := range []string{"", "wrong"} {
		_, err := apiclient.Connect(t.Context(), apiclient.Options{URL: b.url, Token: token})
		b.fails(err, outcome.Denied, "Bearer")
		if token != "" && strings.Contains(err.Error(), token) {
			t.Errorf("the token is in %v", err)
		}
	}
	to := b.client(apiclient.Options{Token: "sesame", Client: "ann@laptop"})
	if _, err := to.Submit(t.Context(), b.order(5)); err != nil {
		t.Error(err)
	}
	// What was done names who asked for it.
	want := statemgr.Via{Client: "ann@laptop", Token: "ci"}
	history, err := to.History(t.Context(), "words")
	if err != nil || len(history.Versions) != 1 || history.Versions[0].Via != want {
		t.Errorf("%+v, %v", history, err)
	}
	var owners []statemgr.Owner
	b.Jobs.Before = func(string) error {
		if found, err := operation.Find(context.Background(), b.Cluster.State, "words"); err == nil && found != nil {
			owners = append(owners, found.Intent.Owner)
		}
		return nil
	}
	if _, err := to.Kill(t.Context(), "words", lifecycle.KillOptions{}); err != nil {
		t.Error(err)
	}
	if len(owners) == 0 || owners[0].Via != want || owners[0].User != "ann" || !strings.Contains(owners[0].String(), "asked by ann@laptop, token ci") {
		t.Errorf("owners: %v", owners)
	}
}

// A client may call itself many things, but not anything.
func TestNamesOfClients(t *testing.T) {
	for header, want := range map[string]string{
		"ann@laptop": "ann@laptop", "a.b+c@h-1.example.com": "a.b+c@h-1.example.com", "ann": "", "": "", "ann@": "", "a b@c": "", "a@b\x1b[2J": "", "a@" + strings.Repeat("h", 200): "",
	} {
		r := &http.Request{Header: http.Header{wire.HeaderClient: {header}}}
		if got := clientOf(r); got != want {
			t.Errorf("%q: %q", header, got)
		}
	}
	as := func(client string, who *auth.Identity) context.Context {
		return context.WithValue(context.WithValue(context.Background(), keyClient, client), keyIdentity, who)
	}
	for user, ctx := range map[string]context.Context{
		"ann": as("ann@h", &auth.Identity{Name: "ci"}), "ci": as("", &auth.Identity{Name: "ci"}), "ads": as("", auth.Anyone()),
	} {
		if got := userOf(ctx, "ads"); got != user {
			t.Errorf("%s, want %s", got, user)
		}
	}
}

func TestOwnClientOverTLS(t *testing.T) {
	b, authority, pool := secure(t, "")
	ctx := t.Context()
	own, err := authority.Issue("ann", "127.0.0.1")
	b.Must(err)
	pair, err := tls.LoadX509KeyPair(own.CertFile, own.KeyFile)
	b.Must(err)
	_, err = apiclient.Connect(ctx, apiclient.Options{URL: b.url})
	b.fails(err, outcome.Unreachable, "certificate")
	_, err = apiclient.Connect(ctx, apiclient.Options{URL: b.url, TLS: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}})
	b.fails(err, outcome.Denied)
	to := b.client(apiclient.Options{TLS: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, Certificates: []tls.Certificate{pair}}})
	if done, err := to.Submit(ctx, b.order(4<<20)); err != nil || len(done) != 1 {
		t.Errorf("%v, %v", done, err)
	}
}

// Behind a proxy the paths begin with its own.
func TestOwnClientBehindAProxy(t *testing.T) {
	b := newBench(t, func(o *Options) { o.PublicURL = "http://127.0.0.1:1/heron" })
	to := b.client(apiclient.Options{URL: b.url + "/heron/"})
	if done, err := to.Submit(t.Context(), b.order(5)); err != nil || len(done) != 1 {
		t.Errorf("%v, %v", done, err)
	}
}

// What the server refuses while a file is on its way is told.
func TestOwnClientIsToldOfLimits(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Limits.Upload = 1 << 20 })
	_, err := b.client(apiclient.Options{}).Submit(t.Context(), b.order(8<<20))
	b.fails(err, outcome.Usage, "larger than this server takes")
	if !bytes.Contains(b.log.Bytes(), []byte("status=413")) {
		t.Error("no 413 in the log")
	}
}
