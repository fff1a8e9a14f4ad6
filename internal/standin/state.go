package standin

import (
	"context"
	"errors"
	"fmt"
	"log"
	"path"
	"strings"
	"time"
)

// What a state refuses; wrapped with the path.
var (
	errAbsent   = errors.New("does not exist")
	errExists   = errors.New("already exists")
	errNoParent = errors.New("the directory above does not exist")
)

// localMode in place of hosts tells the TManager that the state is in files.
const localMode = "LOCALMODE"

// snapshot is what was at a path at one time.
type snapshot struct {
	data    []byte
	present bool
	// stamp differs after each write, also after one of equal data.
	stamp string
}

// state is the tree of nodes that the processes of a topology share.
type state interface {
	get(path string) ([]byte, error)
	// create makes a node; an ephemeral one goes with the session, where
	// there are sessions. errExists, errNoParent.
	create(path string, data []byte, ephemeral bool) error
	set(path string, data []byte) error
	delete(path string) error
	// watch delivers what is at path now and then after each change, until
	// ctx ends. Changes that follow closely may come as one.
	watch(ctx context.Context, path string) <-chan snapshot
	// close ends the session.
	close()
}

// openState connects to the state at root. connection is localMode for
// files.
func openState(ctx context.Context, connection, root string, session time.Duration, logger *log.Logger) (state, error) {
	if connection == localMode {
		return newFileState(root), nil
	}
	return openZooKeeper(ctx, strings.Split(connection, ","), root, session, logger)
}

// Paths of one topology's nodes.
func topologyPath(topology string) string     { return path.Join("topologies", topology) }
func packingPlanPath(topology string) string  { return path.Join("packingplans", topology) }
func physicalPlanPath(topology string) string { return path.Join("pplans", topology) }
func tmanagerPath(topology string) string     { return path.Join("tmanagers", topology) }

func atPath(path string, err error) error { return fmt.Errorf("%s: %w", path, err) }

// deliver hands s over unless ctx ends first.
func deliver(ctx context.Context, c chan<- snapshot, s snapshot) bool {
	select {
	case c <- s:
		return true
	case <-ctx.Done():
		return false
	}
}

// pause waits for d; false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
