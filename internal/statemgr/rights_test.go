package statemgr

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestCheckRightsChangesNothing(t *testing.T) {
	for name, make := range map[string]func(testing.TB) fixture{"zookeeper": zkFixture, "localfs": localFixture, "protected": secureFixture(protected)} {
		t.Run(name, func(t *testing.T) {
			f := make(t)
			s, l, ctx := f.open(t), f.layout(), t.Context()
			create := []Op{Create(l.PackingPlan("t"), []byte("p")), Create(l.Topology("t"), []byte("x"))}
			must(t, CheckRights(ctx, s, l, create...))
			wantGone(t, s, l.Root, l.Topology("t"))
			must(t, s.EnsureDirs(ctx, l.Dirs()...))
			must(t, s.Apply(ctx, create...))
			huge := Create(l.Topology("u"), []byte(strings.Repeat("x", 2*defaultMaxRequest)))
			for _, ops := range [][]Op{{}, create, {huge}, {Delete(l.Topology("t"))}, {Set(l.Topology("t"), []byte("y"))}, {Delete(l.Topology("v"))}} {
				must(t, CheckRights(ctx, s, l, ops...))
			}
			wantNode(t, s, l.Topology("t"), "x", 0)
			wantGone(t, s, l.Topology("u"))
		})
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	cancel(why)
	f := zkFixture(t)
	wantErr(t, CheckRights(ctx, f.open(t), f.layout()), why, "")
}
