package conf

import "strconv"

// SourceKind is a kind of place that a value can come from. Its text is
// stable: machines read it.
type SourceKind string

// The kinds of Source.
const (
	// DefaultSource is the program's own default.
	DefaultSource SourceKind = "default"
	// FileSource is a line of a configuration file.
	FileSource SourceKind = "file"
	// PropertySource is one of Options.Properties.
	PropertySource SourceKind = "property"
	// OverrideSource is a field of Options.Nomad.
	OverrideSource SourceKind = "override"
	// EnvironmentSource is an environment variable.
	EnvironmentSource SourceKind = "environment"
	// CallerSource is who asks, such as Options.Role.
	CallerSource SourceKind = "caller"
	// TopologySource is the topology that is submitted.
	TopologySource SourceKind = "topology"
)

// Source says where a value comes from. It is data: each front end words it
// for its own users.
type Source struct {
	Kind SourceKind
	// Key is the configuration key of the value; "" for a file as a whole.
	Key string
	// Name is the path of the file or the name of the variable. For a default
	// it is the cluster's folder, where the key could be set.
	Name string
	// Line in the file counts from 1; 0 is unknown.
	Line int
}

// fileSource is a file as a whole or one of its lines.
func fileSource(path string, line int) Source {
	return Source{Kind: FileSource, Name: path, Line: line}
}

// of is the source as that of a key's value.
func (s Source) of(key string) Source {
	s.Key = key
	return s
}

// fromCaller says that the caller set the value for this one call.
func (s Source) fromCaller() bool { return s.Kind == PropertySource || s.Kind == OverrideSource }

// String says where the value comes from: "KEY in FILE:LINE".
func (s Source) String() string {
	place := s.place()
	switch {
	case s.Kind == DefaultSource:
		return "the default of " + s.Key
	case s.Key == "" || s.Kind == EnvironmentSource:
		return place
	case place == "":
		return s.Key
	}
	return s.Key + " in " + place
}

// Where names the place first, as the beginning of a message about the value:
// "FILE:LINE: KEY".
func (s Source) Where() string {
	place := s.place()
	switch {
	case s.Key == "" || s.Kind == EnvironmentSource:
		return place
	case place == "":
		return s.Key
	}
	return place + ": " + s.Key
}

func (s Source) place() string {
	switch s.Kind {
	case PropertySource:
		return "the properties"
	case OverrideSource:
		return "the overrides"
	case CallerSource:
		return "the request"
	case TopologySource:
		return "the topology"
	}
	if s.Line > 0 {
		return s.Name + ":" + strconv.Itoa(s.Line)
	}
	return s.Name
}
