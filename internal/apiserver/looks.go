package apiserver

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/inspect"
)

// looks are what requests that ask how topologies are share: each status and
// each list is read once for all who ask for it within a short time.
type looks struct {
	// statuses are encoded.
	statuses *shared[statusKey, []byte]
	lists    *shared[inspect.Filter, []*inspect.Summary]
}

// statusKey is a topology, and where it is said to be.
type statusKey struct {
	at   place
	name string
}

func (s *Server) newLooks() *looks {
	return &looks{
		statuses: newShared[statusKey, []byte](s.opts.Now, s.safely),
		lists:    newShared[inspect.Filter, []*inspect.Summary](s.opts.Now, s.safely),
	}
}

// changed forgets what was seen of a topology that an operation acts on.
func (l *looks) changed(topology string) {
	l.statuses.forget(func(k statusKey) bool { return k.name == topology })
	l.lists.forget(func(inspect.Filter) bool { return true })
}

// lookAt reads how a topology is.
func (s *Server) lookAt(ctx context.Context, at place, name string) ([]byte, error) {
	cl, err := s.reads.cluster(ctx, at)
	if err != nil {
		return nil, err
	}
	status, err := inspect.Look(ctx, cl.Cluster, cl.Nomad, name, s.opts.Now)
	if err != nil {
		return nil, err
	}
	return encode(status), nil
}

// lookAtAll reads which topologies there are.
func (s *Server) lookAtAll(ctx context.Context, filter inspect.Filter) ([]*inspect.Summary, error) {
	// Nothing of the configuration that matters here depends on role and
	// environment.
	cl, err := s.reads.cluster(ctx, place{cluster: s.opts.Base.Cluster, role: anyPart, environ: anyPart})
	if err != nil {
		return nil, err
	}
	return inspect.List(ctx, cl.Cluster, cl.Nomad, filter)
}

// wantsAnew says whether a request takes no answer from before it was sent.
func wantsAnew(r *http.Request) bool {
	for _, value := range r.Header.Values("Cache-Control") {
		for directive := range strings.SplitSeq(value, ",") {
			switch strings.ToLower(strings.ReplaceAll(directive, " ", "")) {
			case "no-cache", "no-store", "max-age=0":
				return true
			}
		}
	}
	return false
}

// setAge says how old an answer is, in whole seconds.
func setAge(w http.ResponseWriter, age time.Duration) {
	w.Header().Set("Age", strconv.FormatInt(int64(age/time.Second), 10))
}
