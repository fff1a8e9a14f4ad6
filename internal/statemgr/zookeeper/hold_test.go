package zookeeper

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/statemgr/statemgrtest"
	"github.com/heron-nomad/heron/internal/testenv"
)

func TestSweepRemovesTheNodeOfASessionThatLingers(t *testing.T) {
	f := zkFixture(t)
	s, l := f.Tree(t), f.Layout()
	h := statemgrtest.StartHolder(t, f.Fixture)
	h.Kill(t)
	must(t, s.SweepOwners(t.Context(), "t"))
	wantGone(t, s, l.Owner("t", h.Owner.Token))
}

// A client whose session the servers have given up finds its node gone, and
// its transactions refused, even when it comes back.
func TestHoldEndsWithTheSession(t *testing.T) {
	f := zkFixture(t)
	other, l := f.Tree(t), f.Layout()
	proxy := testenv.Proxy(t, f.addr)
	s := f.openZK(t, Options{Servers: []string{proxy.Addr}, ConnectTimeout: slack, SessionTimeout: time.Second, Retries: 10})
	p := l.Owner("t", "0123456789abcdef")
	release, err := s.Hold(t.Context(), p, []byte("me"))
	must(t, err)
	proxy.Down()
	for end := time.Now().Add(slack); ; {
		if _, err := other.Read(t.Context(), p); errors.Is(err, statemgr.ErrNotFound) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the node outlives its session")
		}
	}
	proxy.Up()
	retry(t, func() error { _, err := s.Read(t.Context(), f.Root); return err })
	wantErr(t, s.Apply(t.Context(), statemgr.Check(p), statemgr.Create(l.Topology("t"), []byte("x"))), statemgr.ErrNotFound, p)
	must(t, release(t.Context()))
}

// A reply that is lost is followed by reading back, so that the result is known.
func TestHoldCut(t *testing.T) {
	f := newFaulty(t, slack)
	for i := range 3 {
		p := f.Layout().Owner("t", fmt.Sprintf("0123456789abcde%d", i))
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
		if err != nil && !errors.Is(err, statemgr.ErrUnreachable) {
			t.Fatal(err)
		}
		_, readErr := f.store.Read(t.Context(), p)
		if there := readErr == nil; there != (err == nil) {
			t.Errorf("hold: %v, read: %v", err, readErr)
		}
	}
}
