package zookeeper

import (
	"slices"

	"github.com/go-zookeeper/zk"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// aclSet knows with which ACL a node is created.
type aclSet struct {
	usual []zk.ACL
	// engine is for the directories that Heron's processes write in.
	engine     []zk.ACL
	engineDirs []string
}

// newACLSet turns a setting into ACLs. Heron's processes do not authenticate to
// ZooKeeper. Protected leaves them just what they need: to read everything, and
// to make and remove nodes of their own.
func newACLSet(acl conf.ZooKeeperACL, l statemgr.Layout) aclSet {
	switch {
	case len(acl.Entries) > 0:
		var list []zk.ACL
		for _, e := range acl.Entries {
			list = append(list, zk.ACL{Perms: permsOf(e.Perms), Scheme: e.Scheme, ID: e.ID})
		}
		return aclSet{usual: list}
	case acl.Protected:
		return aclSet{
			usual:      append(zk.AuthACL(zk.PermAll), zk.WorldACL(zk.PermRead)...),
			engine:     append(zk.AuthACL(zk.PermAll), zk.WorldACL(zk.PermRead|zk.PermCreate|zk.PermDelete)...),
			engineDirs: l.EngineDirs(),
		}
	}
	return aclSet{usual: zk.WorldACL(zk.PermAll)}
}

// of returns the ACL for a node at path.
func (a aclSet) of(path string) []zk.ACL {
	if slices.Contains(a.engineDirs, path) {
		return a.engine
	}
	return a.usual
}

// size returns the size of that ACL in a request, in bytes.
func (a aclSet) size(path string) int {
	const length, perms = 4, 4
	size := length
	for _, e := range a.of(path) {
		size += perms + length + len(e.Scheme) + length + len(e.ID)
	}
	return size
}

// permsOf parses permissions in the form of ZooKeeper's own client.
func permsOf(letters string) int32 {
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
