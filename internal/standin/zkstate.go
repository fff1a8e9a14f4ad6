package standin

import (
	"context"
	"errors"
	"fmt"
	"log"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

// connectLimit is how long the first connection may take, as with the real
// executor's client.
const connectLimit = 15 * time.Second

type zkState struct {
	conn *zk.Conn
	root string
}

// openZooKeeper waits for a session; the client goes on reconnecting by
// itself afterwards.
func openZooKeeper(ctx context.Context, servers []string, root string, session time.Duration, logger *log.Logger) (state, error) {
	conn, events, err := zk.Connect(servers, session, zk.WithLogger(logger), zk.WithLogInfo(false))
	if err != nil {
		return nil, fmt.Errorf("connecting to ZooKeeper at %s: %w", strings.Join(servers, ","), err)
	}
	limit := time.NewTimer(connectLimit)
	defer limit.Stop()
	for {
		select {
		case e := <-events:
			if e.State == zk.StateHasSession {
				return &zkState{conn: conn, root: path.Clean("/" + root)}, nil
			}
		case <-limit.C:
			conn.Close()
			return nil, fmt.Errorf("no session with ZooKeeper at %s within %s", strings.Join(servers, ","), connectLimit)
		case <-ctx.Done():
			conn.Close()
			return nil, ctx.Err()
		}
	}
}

func (z *zkState) at(p string) string { return path.Join(z.root, p) }

func (z *zkState) get(p string) ([]byte, error) {
	data, _, err := z.conn.Get(z.at(p))
	return data, z.fault(p, err, errAbsent)
}

func (z *zkState) create(p string, data []byte, ephemeral bool) error {
	var kind int32 // persistent
	if ephemeral {
		kind = zk.FlagEphemeral
	}
	_, err := z.conn.Create(z.at(p), data, kind, zk.WorldACL(zk.PermAll))
	return z.fault(p, err, errNoParent)
}

func (z *zkState) set(p string, data []byte) error {
	_, err := z.conn.Set(z.at(p), data, -1)
	return z.fault(p, err, errAbsent)
}

func (z *zkState) delete(p string) error {
	return z.fault(p, z.conn.Delete(z.at(p), -1), errAbsent)
}

// fault names the path; noNode is what ZooKeeper's "no node" means here.
func (z *zkState) fault(p string, err, noNode error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, zk.ErrNoNode):
		err = noNode
	case errors.Is(err, zk.ErrNodeExists):
		err = errExists
	}
	return atPath(z.at(p), err)
}

func (z *zkState) watch(ctx context.Context, p string) <-chan snapshot {
	c := make(chan snapshot)
	go func() {
		defer close(c)
		first, last := true, snapshot{}
		for ctx.Err() == nil {
			now, changed, err := z.look(p)
			if err != nil {
				pause(ctx, time.Second)
				continue
			}
			if first || now.stamp != last.stamp {
				if !deliver(ctx, c, now) {
					return
				}
				first, last = false, now
			}
			select {
			case e := <-changed:
				if e.Err != nil { // the session ended: watch anew
					pause(ctx, time.Second)
				}
			case <-ctx.Done():
			}
		}
	}()
	return c
}

// look reads a node and sets a watch on it.
func (z *zkState) look(p string) (snapshot, <-chan zk.Event, error) {
	for {
		data, stat, changed, err := z.conn.GetW(z.at(p))
		if err == nil {
			return snapshot{data: data, present: true, stamp: strconv.FormatInt(stat.Mzxid, 10)}, changed, nil
		}
		if !errors.Is(err, zk.ErrNoNode) {
			return snapshot{}, nil, err
		}
		there, _, changed, err := z.conn.ExistsW(z.at(p))
		if err != nil || !there {
			return snapshot{}, changed, err
		}
	}
}

func (z *zkState) close() { z.conn.Close() }
