package statemgr

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/testenv"
)

func testHold(t *testing.T, f fixture) {
	s, other, l, ctx := f.dirs(t), f.open(t), f.layout(), t.Context()
	p := l.Owner("t", "0123456789abcdef")
	release, err := s.Hold(ctx, p, []byte("me"))
	must(t, err)
	for _, store := range []Store{s, other} {
		if n := wantNode(t, store, p, "me", 0); !n.Ephemeral {
			t.Error("a held node is not shown as one that goes")
		}
		_, err = store.Hold(ctx, p, []byte("you"))
		wantErr(t, err, ErrExists, "")
	}
	must(t, other.Apply(ctx, Check(p), Create(l.Topology("t"), []byte("x"))))
	must(t, release(ctx))
	must(t, release(ctx))
	wantGone(t, other, p)
	wantErr(t, s.Apply(ctx, Check(p), Delete(l.Topology("t"))), ErrNotFound, p)

	// Somebody else may take it away; what he holds then is not released.
	again, err := s.Hold(ctx, p, []byte("me"))
	must(t, err)
	must(t, other.Apply(ctx, Delete(p)))
	theirs, err := other.Hold(ctx, p, []byte("they"))
	must(t, err)
	must(t, again(ctx))
	wantNode(t, s, p, "they", 0)
	must(t, theirs(ctx))

	_, err = s.Hold(ctx, p, []byte("me"))
	must(t, err)
	must(t, s.Close())
	wantGone(t, other, p)

	var invalid *InvalidError
	for _, bad := range []string{"", "x", l.Topology("t"), l.Owners(), l.Owners() + "/a/b", l.Owner("t", "short"), l.Owner("a/b", "0123456789abcdef")} {
		if _, err := other.Hold(ctx, bad, []byte("x")); !errors.As(err, &invalid) {
			t.Errorf("hold of %q: %v", bad, err)
		}
	}
	if _, err := other.Hold(ctx, p, nil); !errors.As(err, &invalid) {
		t.Errorf("hold without data: %v", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	_, err = other.Hold(ctx, p, []byte("x"))
	wantErr(t, err, context.Canceled, "")
}

func testHoldRace(t *testing.T, f fixture) {
	f.dirs(t)
	p := f.layout().Owner("t", "0123456789abcdef")
	var won atomic.Int32
	together(t, 8, f.open, func(i int, s Store) error {
		_, err := s.Hold(t.Context(), p, fmt.Append(nil, i))
		if errors.Is(err, ErrExists) {
			return nil
		}
		won.Add(1)
		return err
	})
	if won.Load() != 1 {
		t.Errorf("%d holders won, want one", won.Load())
	}
}

// helperEnv makes this test program hold a node until it is killed.
const helperEnv = "STATEMGR_TEST_HOLD"

// holder is another process that holds a node of topology t.
type holder struct {
	cmd   *exec.Cmd
	owner string
}

func startHolder(t *testing.T, f fixture) *holder {
	t.Helper()
	h := &holder{cmd: exec.Command(os.Args[0], "-test.run=^TestHoldHelper$", "-test.v")}
	h.cmd.Env = append(os.Environ(), helperEnv+"="+f.root, "STATEMGR_TEST_ADDR="+f.addr)
	out, err := h.cmd.StdoutPipe()
	must(t, err)
	h.cmd.Stderr = os.Stderr
	must(t, h.cmd.Start())
	t.Cleanup(func() { _ = h.cmd.Process.Kill(); _ = h.cmd.Wait() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if token, ok := strings.CutPrefix(lines.Text(), "held "); ok {
			h.owner = token
			return h
		}
	}
	t.Fatal("the helper did not hold the node")
	return nil
}

// TestHoldHelper is the other process.
func TestHoldHelper(t *testing.T) {
	root := os.Getenv(helperEnv)
	if root == "" {
		return // not one of the tests
	}
	var s Store
	var err error
	if addr := os.Getenv("STATEMGR_TEST_ADDR"); addr != "" {
		s, err = OpenZooKeeper(t.Context(), ZooKeeperOptions{Servers: []string{addr}, Root: root, SessionTimeout: 4 * time.Second})
	} else {
		s, err = OpenLocal(root)
	}
	must(t, err)
	o := NewOwner("submit", "ann", time.Now())
	_, err = o.Hold(t.Context(), s, Layout{Root: root}, "t")
	must(t, err)
	data, err := o.encode()
	must(t, err)
	fmt.Printf("held %s\n", data)
	<-t.Context().Done()
}

func decodeOwner(t *testing.T, text string) (o Owner) {
	t.Helper()
	must(t, json.Unmarshal([]byte(text), &o))
	return o
}

func TestHoldOfAKilledProcess(t *testing.T) { eachStore(t, testHoldKilled) }

func testHoldKilled(t *testing.T, f fixture) {
	s, l, ctx := f.dirs(t), f.layout(), t.Context()
	h := startHolder(t, f)
	names, err := s.Children(ctx, l.Owners())
	must(t, err)
	if len(names) != 1 {
		t.Fatalf("owners: %v", names)
	}
	token := ownerOf(names[0], "t")
	o := decodeOwner(t, h.owner)
	alive := func() bool {
		t.Helper()
		ok, err := o.Alive(ctx, s, l, "t")
		must(t, err)
		return ok
	}
	if token != o.Token || !alive() {
		t.Fatalf("%s is not alive", h.owner)
	}
	must(t, h.cmd.Process.Signal(syscall.SIGSTOP))
	if !alive() {
		t.Error("a paused owner counts as dead at once")
	}
	must(t, SweepOwners(ctx, s, l, "t"))
	if _, err := s.Read(ctx, l.Owner("t", token)); err != nil {
		t.Errorf("the node of a living owner was swept: %v", err)
	}
	must(t, h.cmd.Process.Kill())
	_ = h.cmd.Wait()
	if alive() {
		t.Error("an owner of this machine that was killed counts as alive")
	}

	// On another machine its session decides.
	o.Machine = "another"
	for end := time.Now().Add(slack); alive(); {
		if time.Now().After(end) {
			t.Fatal("the killed owner's node does not go")
		}
	}
	must(t, SweepOwners(ctx, s, l, "t"))
	if names, err = s.Children(ctx, l.Owners()); err != nil || len(names) > 0 {
		t.Errorf("owners after sweeping: %v, %v", names, err)
	}
}

func TestSweepRemovesTheNodeOfASessionThatLingers(t *testing.T) {
	f := zkFixture(t)
	s, l := f.dirs(t), f.layout()
	h := startHolder(t, f)
	must(t, h.cmd.Process.Kill())
	_ = h.cmd.Wait()
	must(t, SweepOwners(t.Context(), s, l, "t"))
	wantGone(t, s, l.Owner("t", decodeOwner(t, h.owner).Token))
}

// A client whose session the servers have given up finds its node gone, and
// its transactions refused, even when it comes back.
func TestHoldEndsWithTheSession(t *testing.T) {
	f := zkFixture(t)
	other, l := f.dirs(t), f.layout()
	proxy := testenv.Proxy(t, f.addr)
	s := f.openZK(t, ZooKeeperOptions{Servers: []string{proxy.Addr}, ConnectTimeout: slack, SessionTimeout: time.Second, Retries: 10})
	p := l.Owner("t", "0123456789abcdef")
	release, err := s.Hold(t.Context(), p, []byte("me"))
	must(t, err)
	proxy.Down()
	for end := time.Now().Add(slack); ; {
		if _, err := other.Read(t.Context(), p); errors.Is(err, ErrNotFound) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the node outlives its session")
		}
	}
	proxy.Up()
	retry(t, func() error { _, err := s.Read(t.Context(), f.root); return err })
	wantErr(t, s.Apply(t.Context(), Check(p), Create(l.Topology("t"), []byte("x"))), ErrNotFound, p)
	must(t, release(t.Context()))
}

// A reply that is lost is followed by reading back: it is told as it is.
func TestHoldCut(t *testing.T) {
	f := newFaulty(t, slack)
	for i := range 3 {
		p := f.layout().Owner("t", fmt.Sprintf("0123456789abcde%d", i))
		f.proxy.CutAfter(1)
		done := make(chan struct{})
		go func() {
			defer close(done)
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for !f.store.unsure.Load() && t.Context().Err() == nil {
				<-tick.C
			}
			f.proxy.Up()
		}()
		_, err := f.store.Hold(t.Context(), p, []byte("me"))
		<-done
		if err != nil && !errors.Is(err, ErrUnreachable) {
			t.Fatal(err)
		}
		_, readErr := f.store.Read(t.Context(), p)
		if there := readErr == nil; there != (err == nil) {
			t.Errorf("hold: %v, read: %v", err, readErr)
		}
	}
}

func TestOwnersOfDifferentTopologiesNeverMeet(t *testing.T) {
	l := Layout{Root: "/heron"}
	const token = "0123456789abcdef"
	odd := "t." + token
	if got := ownerOf(odd+"."+token, "t"); got != "" {
		t.Errorf("%q counts as an owner of t: %q", odd+"."+token, got)
	}
	if got := ownerOf(odd+"."+token, odd); got != token {
		t.Errorf("owner of %q: %q", odd, got)
	}
	if l.Owner("t", token) == l.Operation("t") || l.Owner("../x", token) != "" || l.Owner("t", "../../../../../x") != "" {
		t.Error("paths of owners are not what they should be")
	}
	if got := l.Describe(l.Owner("t", token)); got != "Owner" {
		t.Errorf("described as %q", got)
	}
}

func TestIntentRoundTrip(t *testing.T) {
	in := Intent{Operation: OperationSubmit, Step: StepState, TopologyID: "t1", Request: "d", SubmittedAt: time.Unix(1_700_000_000, 5), Owner: NewOwner("submit", "ann", time.Now())}
	data, err := in.Encode()
	must(t, err)
	out, err := DecodeIntent(data)
	must(t, err)
	again, err := out.Encode()
	must(t, err)
	if string(again) != string(data) || out.Owner != in.Owner {
		t.Errorf("%s became %s", data, again)
	}
	for _, bad := range []string{
		"", "{}", `{"version":2,"operation":"submit"}`,
		strings.Replace(string(data), `"submit"`, `"replace"`, 1), strings.Replace(string(data), in.Owner.Token, "x", 1),
	} {
		if _, err := DecodeIntent([]byte(bad)); err == nil {
			t.Errorf("%.60q is taken", bad)
		}
	}
}
