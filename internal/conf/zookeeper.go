package conf

import "strings"

// ZooKeeperAccess says how this program gets into ZooKeeper, and what it
// allows others there. Nothing of it concerns executors, which neither
// authenticate nor speak TLS.
type ZooKeeperAccess struct {
	// Digest is "user:password" for ZooKeeper's digest scheme, "" for none.
	Digest Secret
	// DigestFrom is the variable or file that Digest comes from.
	DigestFrom string
	// TLS is nil for connections without.
	TLS *ZooKeeperTLS
	// ACL is given to nodes that are created.
	ACL ZooKeeperACL
	// RequestLimit is the largest request that the servers accept, in bytes:
	// their jute.maxbuffer; 0 stands for ZooKeeper's default.
	RequestLimit int
}

// ZooKeeperTLS says how to make sure of the other side. Paths are absolute.
type ZooKeeperTLS struct {
	// CACert is a PEM file of authorities; "" for those of the system.
	CACert string
	// ClientCert and ClientKey are PEM files; both or none.
	ClientCert, ClientKey string
	// ServerName is the name that a server's certificate must have, where it
	// is not the address's.
	ServerName string
	// SkipVerify takes any certificate.
	SkipVerify bool
}

// ZooKeeperACL says who may do what with a node. The zero value leaves all
// nodes open to everybody.
type ZooKeeperACL struct {
	// Protected keeps for the authenticated user what only clients write, and
	// leaves to everybody what Heron's processes need: to read all, and to
	// write where they do.
	Protected bool
	// Entries are given to every node, in place of what Protected says.
	Entries []ACLEntry
}

// ACLEntry allows something to somebody.
type ACLEntry struct {
	// Scheme and ID say who, as ZooKeeper does: world and anyone, ip and an
	// address or network, auth and "" for who is authenticated, and so on.
	Scheme, ID string
	// Perms are letters: create, delete, read, write, admin.
	Perms string
}

// Address is where this program goes for the state, for people to read.
func (s State) Address() string {
	if s.Kind == "localfs" {
		return s.Root // whatever the key for ZooKeeper's address says
	}
	address := s.Connection
	if len(s.ClientServers) > 0 {
		address = strings.Join(s.ClientServers, ",")
	}
	if s.ZooKeeper.TLS != nil {
		address += " with TLS"
	}
	return address
}

const (
	keyZooKeeperClient     = "heron.statemgr.zookeeper.client.connection.string"
	keyZooKeeperDigest     = "heron.statemgr.zookeeper.auth.digest.file"
	keyZooKeeperLimit      = "heron.statemgr.zookeeper.request.limit"
	keyZooKeeperACL        = "heron.statemgr.zookeeper.acl"
	keyZooKeeperTLS        = "heron.statemgr.zookeeper.tls.enabled"
	keyZooKeeperCACert     = "heron.statemgr.zookeeper.tls.ca.cert"
	keyZooKeeperClientCert = "heron.statemgr.zookeeper.tls.client.cert"
	keyZooKeeperClientKey  = "heron.statemgr.zookeeper.tls.client.key"
	keyZooKeeperServerName = "heron.statemgr.zookeeper.tls.server.name"
	keyZooKeeperSkipVerify = "heron.statemgr.zookeeper.tls.skip.verify"
)

// zooKeeperKeys are what the original could not say about ZooKeeper.
var zooKeeperKeys = [...]string{
	keyZooKeeperClient,
	keyZooKeeperDigest,
	keyZooKeeperLimit,
	keyZooKeeperACL,
	keyZooKeeperTLS,
	keyZooKeeperCACert,
	keyZooKeeperClientCert,
	keyZooKeeperClientKey,
	keyZooKeeperServerName,
	keyZooKeeperSkipVerify,
}

// VarZooKeeperAuth is the environment variable that holds credentials,
// "user:password". It wins over the file.
const VarZooKeeperAuth = "HERON_ZOOKEEPER_AUTH"
