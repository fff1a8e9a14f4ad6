package conf

import "time"

// Settings is a cluster's configuration in the types the program works with:
// every value checked, every default in place, tokens replaced. Sizes are in
// bytes.
type Settings struct {
	Cluster, Role, Environ, User string
	// Via is on whose behalf an API server acts.
	Via Via `json:"-"`
	// RoleRequired and EnvironRequired say that the caller must name them.
	RoleRequired, EnvironRequired bool

	State    State
	Upload   Upload
	Packing  Packing
	Nomad    Nomad
	Executor Executor
	Release  Release
	Core     Core

	// Warnings are about what is no error and should not stay as it is.
	Warnings []*Error `json:"-"`
}

// Via is who asked an API server for something; zero for a command line.
type Via struct {
	// Client is user@host, as the client itself says. Token is the name of the token,
	// or of the certificate, that let it in; "" where everybody is let in.
	Client, Token string
}

// State says where topologies' state is kept.
type State struct {
	// Kind is "zookeeper" or "localfs".
	Kind string
	// Connection is what executors are given; Servers are its parts,
	// "host:port" each (none for localfs).
	Connection string
	Servers    []string
	// ClientServers are those that this program goes to, which may be other
	// ports of the same ZooKeeper; ServersFrom says what set them.
	ClientServers []string
	ServersFrom   Source `json:"-"`
	// ZooKeeper is never part of what is printed, kept or sent elsewhere.
	ZooKeeper ZooKeeperAccess `json:"-"`
	// Tunnel is the way there, and says nothing of what is there.
	Tunnel Tunnel `json:"-"`
	// Root is the node, or folder, that holds everything; it starts with "/".
	Root           string
	InitTree       bool
	SessionTimeout time.Duration
	ConnectTimeout time.Duration
	RetryCount     int
	RetryInterval  time.Duration
}

// Packing chooses the algorithm and the defaults of an instance.
type Packing struct {
	// Class and RepackClass are as configured; Algorithm and Repack the short
	// names that go with them, such as "roundrobin".
	Class, RepackClass string
	Algorithm, Repack  string
	InstanceCPU        float64
	InstanceRAM        int64
	InstanceDisk       int64
}

// Nomad says where jobs go and what they look like.
type Nomad struct {
	// Address is the base of all requests' URLs; AddressFrom says what set it.
	Address     string
	AddressFrom Source `json:"-"`
	Datacenters []string
	// Driver is "raw_exec" or "docker".
	Driver string
	// MHzPerCore turns cores into Nomad's CPU shares.
	MHzPerCore int
	// WorkingDir is the folder below which container i has its own; "" for
	// the task's own directory.
	WorkingDir string
	// Script is the path of the start script.
	Script      string
	KillTimeout time.Duration
	// ShutdownDelay is how long a container runs on after its metrics service
	// was taken from the catalog; 0 for not at all.
	ShutdownDelay time.Duration
	// DisconnectStop is how long a node without a connection to Nomad keeps its
	// containers; 0 for as long as they run.
	DisconnectStop time.Duration
	// RequestDisk asks Nomad for the plan's disk.
	RequestDisk   bool
	DockerImage   string
	DockerNetwork string
	// DockerVolumes are mounted into containers, each source:target or
	// source:target:options.
	DockerVolumes []string
	// DockerPrivileged gives containers all rights on their node.
	DockerPrivileged bool
	// DockerAuth is how nodes log in to the image's registry, nil for not at
	// all.
	DockerAuth      *DockerAuth
	RegisterMetrics bool
	// ServiceProvider is the catalog that services go to, "consul" or "nomad".
	ServiceProvider string
	CheckInterval   time.Duration
	CheckTimeout    time.Duration
	// ExtraTags go with the metrics service behind its own tag.
	ExtraTags []string
	// RequestTimeout bounds one request; StopTimeout the wait for containers
	// to end.
	RequestTimeout time.Duration
	StopTimeout    time.Duration
	// Protected: a person has to confirm before a topology is killed.
	Protected bool `json:"-"`
	// History is how many earlier versions of a topology are kept to go back to.
	// It says nothing about what is put in place.
	History int `json:"-"`

	// Region and Namespace are Nomad's own where they are empty.
	Region, Namespace string
	// Access is what requests to Nomad are made with, and never part of what
	// is printed, kept or sent elsewhere.
	Access Access `json:"-"`
	// Tunnel is the way there, and to TManagers.
	Tunnel Tunnel `json:"-"`
	Place  NomadPlace
	Policy NomadPolicy
	// Variables are environment variables of containers, beside Heron's own.
	Variables map[string]string
	// MemoryMaxPercent is how much memory a container may use, in percent of
	// what it reserves; 0 for no more than that.
	MemoryMaxPercent int
}

// Executor holds what the executor's command line takes from the
// configuration, in cluster mode: paths are those inside a container.
type Executor struct {
	StatemgrFile, InternalsFile, OverrideFile, MetricsFile, StatefulFile string
	ExecutorBinary, TManagerBinary, StmgrBinary, ShellBinary             string
	PythonBinary, CPPBinary, DownloaderBinary                            string
	MetricsClasspath, InstanceClasspath, SchedulerClasspath              string
	PackingClasspath, StatemgrClasspath, MetricsCacheClasspath           string
	CkptmgrClasspath, StatefulClasspath, StatefulCustomClasspath         string
	HealthmgrClasspath                                                   string
	MetricsCacheMode, HealthmgrMode                                      string
	JavaHome                                                             string
	// StatefulStorage is a digest of where and how checkpoints are kept.
	StatefulStorage string `json:"-"`
	VerboseGC       bool
	// ClusterHome is where the core package lies in a container, ClusterConf
	// where the configuration does. LocalConf is the cluster directory of the
	// submitter.
	ClusterHome, ClusterConf, LocalConf string
	// MetricsPortFile is the file in which the Prometheus sink finds its port,
	// "" where no such sink is configured.
	MetricsPortFile string
}

// Core says where nodes get heron-core from.
type Core struct {
	// UseURI chooses URI over Directory.
	UseURI    bool
	URI       string
	Directory string
	// SHA256 of the package at URI; "" where it is not known.
	SHA256 string
}

// Release is who made this client, as other tools show it.
type Release struct {
	Version, Time, Timestamp, Host, User string
}
