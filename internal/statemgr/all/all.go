// Package all opens the state store that the settings name. It is apart from
// package statemgr, which the stores themselves import.
package all

import (
	"context"
	"fmt"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/statemgr/localfs"
	"github.com/heron-nomad/heron/internal/statemgr/zookeeper"
)

// Open opens the store that the settings name, with the layout below their
// root. It writes nothing: EnsureDirs makes the directories. dial, unless nil,
// is the way to servers; see zookeeper.Options. Settings that cannot be used are
// a statemgr.InvalidError.
func Open(ctx context.Context, c conf.State, dial zookeeper.DialFunc) (statemgr.Tree, error) {
	tree := statemgr.Tree{Layout: statemgr.Layout{Root: c.Root}}
	err := statemgr.CheckRoot(c.Root)
	if err != nil {
		return statemgr.Tree{}, fmt.Errorf("heron.statemgr.root.path: %w", err)
	}
	switch c.Kind {
	case "zookeeper":
		var o zookeeper.Options
		if o, err = zooKeeperOptions(c, dial); err == nil {
			tree.Store, err = zookeeper.Open(ctx, o)
		}
	case "localfs":
		tree.Store, err = localfs.Open(c.Root)
	default:
		err = &statemgr.InvalidError{What: c.Kind, Why: "is not a kind of state manager: use zookeeper or localfs"}
	}
	if err != nil {
		return statemgr.Tree{}, err
	}
	return tree, nil
}

func zooKeeperOptions(c conf.State, dial zookeeper.DialFunc) (zookeeper.Options, error) {
	tlsConfig, err := zookeeper.TLSConfig(c.ZooKeeper.TLS)
	if err != nil {
		return zookeeper.Options{}, err
	}
	servers := c.ClientServers
	if len(servers) == 0 {
		servers = c.Servers
	}
	return zookeeper.Options{
		Servers:        servers,
		ServersFrom:    c.ServersFrom.String(),
		Dial:           dial,
		TLS:            tlsConfig,
		Digest:         c.ZooKeeper.Digest,
		DigestFrom:     c.ZooKeeper.DigestFrom,
		ACL:            c.ZooKeeper.ACL,
		Root:           c.Root,
		SessionTimeout: c.SessionTimeout,
		ConnectTimeout: c.ConnectTimeout,
		Retries:        c.RetryCount,
		RetryInterval:  c.RetryInterval,
		MaxRequest:     c.ZooKeeper.RequestLimit,
	}, nil
}

// Servers asks each server of the settings' store for its version; none where
// the store has no servers.
func Servers(ctx context.Context, c conf.State, dial zookeeper.DialFunc) ([]zookeeper.Server, error) {
	if c.Kind != "zookeeper" {
		return nil, nil
	}
	o, err := zooKeeperOptions(c, dial)
	if err != nil {
		return nil, err
	}
	return zookeeper.Servers(ctx, o), nil
}
