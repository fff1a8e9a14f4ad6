package statemgr

import (
	"slices"

	"github.com/go-zookeeper/zk"

	"github.com/heron-nomad/heron/internal/conf"
)

// zkACLs knows what ACL a node is created with.
type zkACLs struct {
	usual []zk.ACL
	root  string
	// engine are for the directories that Heron's processes write in; nil
	// where these get the usual ones.
	engine     []zk.ACL
	engineDirs []string
}

// newZKACLs turns a setting into ACLs. Heron's processes are nobody to
// ZooKeeper: they do not authenticate. Protected leaves them just what they
// need: to read everything, and to make and remove nodes of their own.
func newZKACLs(acl conf.ZooKeeperACL, l Layout) zkACLs {
	switch {
	case len(acl.Entries) > 0:
		var list []zk.ACL
		for _, e := range acl.Entries {
			list = append(list, zk.ACL{Perms: zkPerms(e.Perms), Scheme: e.Scheme, ID: e.ID})
		}
		return zkACLs{usual: list, root: l.Root}
	case acl.Protected:
		return zkACLs{
			root:       l.Root,
			usual:      append(zk.AuthACL(zk.PermAll), zk.WorldACL(zk.PermRead)...),
			engine:     append(zk.AuthACL(zk.PermAll), zk.WorldACL(zk.PermRead|zk.PermCreate|zk.PermDelete)...),
			engineDirs: l.engineDirs(),
		}
	}
	return zkACLs{usual: zk.WorldACL(zk.PermAll), root: l.Root}
}

// of is the ACL of a node to create at path.
func (a zkACLs) of(path string) []zk.ACL {
	if slices.Contains(a.engineDirs, path) {
		return a.engine
	}
	return a.usual
}

// size is what an ACL takes in a request, in bytes.
func (a zkACLs) size(path string) int {
	const length, perms = 4, 4
	size := length
	for _, e := range a.of(path) {
		size += perms + length + len(e.Scheme) + length + len(e.ID)
	}
	return size
}

// zkPerms reads permissions as ZooKeeper's own client writes them.
func zkPerms(letters string) int32 {
	var perms int32
	for _, p := range letters {
		switch p {
		case 'c':
			perms |= zk.PermCreate
		case 'd':
			perms |= zk.PermDelete
		case 'r':
			perms |= zk.PermRead
		case 'w':
			perms |= zk.PermWrite
		case 'a':
			perms |= zk.PermAdmin
		}
	}
	return perms
}
