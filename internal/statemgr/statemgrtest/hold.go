package statemgrtest

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

	"github.com/heron-nomad/heron/internal/statemgr"
)

func testHold(t *testing.T, f Fixture) {
	s, other, l, ctx := f.Tree(t), f.Open(t), f.Layout(), t.Context()
	p := l.Owner("t", "0123456789abcdef")
	release, err := s.Hold(ctx, p, []byte("me"))
	Must(t, err)
	for _, store := range []statemgr.Store{s, other} {
		if n := WantNode(t, store, p, "me", 0); !n.Ephemeral {
			t.Error("a held node is not shown as ephemeral")
		}
		_, err = store.Hold(ctx, p, []byte("you"))
		WantErr(t, err, statemgr.ErrExists, "")
	}
	Must(t, other.Apply(ctx, statemgr.Check(p), statemgr.Create(l.Topology("t"), []byte("x"))))
	Must(t, release(ctx))
	Must(t, release(ctx))
	WantGone(t, other, p)
	WantErr(t, s.Apply(ctx, statemgr.Check(p), statemgr.Delete(l.Topology("t"))), statemgr.ErrNotFound, p)

	// Another client may remove the node; one that it holds then is not released.
	again, err := s.Hold(ctx, p, []byte("me"))
	Must(t, err)
	Must(t, other.Apply(ctx, statemgr.Delete(p)))
	theirs, err := other.Hold(ctx, p, []byte("they"))
	Must(t, err)
	Must(t, again(ctx))
	WantNode(t, s, p, "they", 0)
	Must(t, theirs(ctx))

	_, err = s.Hold(ctx, p, []byte("me"))
	Must(t, err)
	Must(t, s.Close())
	WantGone(t, other, p)

	var invalid *statemgr.InvalidError
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
	WantErr(t, err, context.Canceled, "")
}

func testHoldRace(t *testing.T, f Fixture) {
	f.Tree(t)
	p := f.Layout().Owner("t", "0123456789abcdef")
	var won atomic.Int32
	together(t, 8, f.Open, func(i int, s statemgr.Store) error {
		_, err := s.Hold(t.Context(), p, fmt.Append(nil, i))
		if errors.Is(err, statemgr.ErrExists) {
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

// Holder is another process that holds a node of topology t.
type Holder struct {
	cmd *exec.Cmd
	// Owner is that process.
	Owner statemgr.Owner
}

// StartHolder runs HoldHelper in another process until the test ends.
func StartHolder(t *testing.T, f Fixture) *Holder {
	t.Helper()
	h := &Holder{cmd: exec.Command(os.Args[0], "-test.run=^TestHoldHelper$", "-test.v")}
	h.cmd.Env = append(append(os.Environ(), helperEnv+"="+f.Root), f.Env...)
	out, err := h.cmd.StdoutPipe()
	Must(t, err)
	h.cmd.Stderr = os.Stderr
	Must(t, h.cmd.Start())
	t.Cleanup(func() { _ = h.cmd.Process.Kill(); _ = h.cmd.Wait() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "held "); ok {
			Must(t, json.Unmarshal([]byte(text), &h.Owner))
			return h
		}
	}
	t.Fatal("the helper did not hold the node")
	return nil
}

// Kill ends the process as a crash would.
func (h *Holder) Kill(t *testing.T) {
	t.Helper()
	Must(t, h.cmd.Process.Kill())
	_ = h.cmd.Wait()
}

// HoldHelper is what the other process runs. The test program of each store
// calls it in a test named TestHoldHelper, which does nothing in the first
// process. open opens the store with this root, from Fixture.Env.
func HoldHelper(t *testing.T, open func(root string) (statemgr.Store, error)) {
	root := os.Getenv(helperEnv)
	if root == "" {
		return
	}
	store, err := open(root)
	Must(t, err)
	tree := statemgr.Tree{Store: store, Layout: statemgr.Layout{Root: root}}
	o := statemgr.NewOwner(statemgr.OperationSubmit, "ann", time.Now())
	_, err = tree.HoldOwner(t.Context(), "t", o)
	Must(t, err)
	data, err := json.Marshal(o)
	Must(t, err)
	fmt.Printf("held %s\n", data)
	<-t.Context().Done()
}

func testHoldKilled(t *testing.T, f Fixture) {
	s, ctx := f.Tree(t), t.Context()
	h := StartHolder(t, f)
	o := h.Owner
	names, err := s.Children(ctx, s.Owners())
	Must(t, err)
	if len(names) != 1 || names[0] != "t."+o.Token {
		t.Fatalf("owners: %v", names)
	}
	alive := func() bool {
		t.Helper()
		ok, err := s.OwnerAlive(ctx, "t", o)
		Must(t, err)
		return ok
	}
	if !alive() {
		t.Fatalf("%s is not alive", o)
	}
	Must(t, h.cmd.Process.Signal(syscall.SIGSTOP))
	if !alive() {
		t.Error("a paused owner counts as dead at once")
	}
	Must(t, s.SweepOwners(ctx, "t"))
	if _, err := s.Read(ctx, s.Owner("t", o.Token)); err != nil {
		t.Errorf("the node of a living owner was swept: %v", err)
	}
	h.Kill(t)
	if alive() {
		t.Error("an owner of this machine that was killed counts as alive")
	}

	// For an owner on another machine its session decides.
	o.Machine = "another"
	for end := time.Now().Add(time.Minute); alive(); {
		if time.Now().After(end) {
			t.Fatal("the killed owner's node does not disappear")
		}
	}
	Must(t, s.SweepOwners(ctx, "t"))
	if names, err = s.Children(ctx, s.Owners()); err != nil || len(names) > 0 {
		t.Errorf("owners after sweeping: %v, %v", names, err)
	}
}
