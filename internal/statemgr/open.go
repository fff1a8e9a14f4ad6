package statemgr

import (
	"context"
	"fmt"

	"github.com/heron-nomad/heron/internal/conf"
)

// LocalMode is the connection string that stands for a folder.
const LocalMode = "LOCALMODE"

// Open opens the store that the configuration names. It writes nothing: the
// directories are made by EnsureDirs. dial, unless nil, is the way to servers;
// see ZooKeeperOptions.
func Open(ctx context.Context, c conf.State, dial DialFunc) (Store, error) {
	if err := CheckRoot(c.Root); err != nil {
		return nil, fmt.Errorf("heron.statemgr.root.path: %w", err)
	}
	switch c.Kind {
	case "zookeeper":
		tlsConfig, err := newTLSConfig(c.ZooKeeper.TLS)
		if err != nil {
			return nil, err
		}
		servers := c.ClientServers
		if len(servers) == 0 {
			servers = c.Servers
		}
		return OpenZooKeeper(ctx, ZooKeeperOptions{
			Servers:        servers,
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
		})
	case "localfs":
		return OpenLocal(c.Root)
	}
	return nil, &InvalidError{What: c.Kind, Why: "is no kind of state manager: use zookeeper or localfs"}
}
