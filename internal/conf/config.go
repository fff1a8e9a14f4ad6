// Package conf reads a cluster's configuration: the YAML files of its
// directory in the original's order, the release file, overrides, built-in
// defaults, and the tokens in their values.
//
// It turns text into typed settings and knows what each key means. It does
// not act on any of them.
package conf

// Options say where a cluster's configuration lies and who asks.
type Options struct {
	// Home is Heron's home, the value of ${HERON_HOME}; Dir the directory of
	// the cluster.
	Home, Dir string
	// ReleaseFile is the path of the release file; "" for release.yaml in Home.
	// A missing file counts as empty, or as Release in place of that in Home.
	ReleaseFile string
	Release     []byte
	// Properties are values that the caller sets for this call, "key=value"
	// each. They win over the files and reach executors too.
	Properties []string

	Cluster, Role, Environ, User string
	// Via is on whose behalf an API server acts.
	Via Via

	// UserHome and JavaHome replace ${HOME} and ${JAVA_HOME}; an empty
	// JavaHome leaves the token.
	UserHome, JavaHome string
	VerboseGC          bool

	// Nomad is what the caller says about Nomad for this call. Getenv reads an
	// environment variable of this process; nil reads nothing.
	Nomad  NomadOverrides
	Getenv func(string) string

	// Files, unless nil, keeps what files hold from one call to the next.
	Files *FileCache
}

// Topology is what a submission adds to the configuration: the values of the
// keys heron.topology.*.
type Topology struct {
	Name, ID                                string
	DefinitionFile, BinaryFile, PackageFile string
	// PackageType is jar, tar, pex, so or dylib.
	PackageType string
}
