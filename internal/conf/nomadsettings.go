package conf

import "time"

// Secret is a text that must not be seen: whatever prints or encodes it gets
// a placeholder. string(s) is the text itself.
type Secret string

const hiddenSecret = "(hidden)"

// String implements fmt.Stringer.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hiddenSecret
}

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return `conf.Secret("` + s.String() + `")` }

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Access is what requests to Nomad are made with.
type Access struct {
	// Token is the secret id of an ACL token.
	Token Secret
	// HTTPUser and HTTPPassword are for a proxy before Nomad that wants HTTP
	// basic authentication; no user is none.
	HTTPUser     string
	HTTPPassword Secret
	// CACert, CAPath, ClientCert and ClientKey are paths of PEM files, CAPath
	// of a folder of them.
	CACert, CAPath, ClientCert, ClientKey string
	// ServerName is the name that the server's certificate must have, where it
	// is not the address's.
	ServerName string
	// SkipVerify takes any certificate.
	SkipVerify bool

	// Origins tell where address, region, namespace and all of these come
	// from.
	Origins []Origin
	// Ignored are variables of the environment that do not count, because
	// NOMAD_ADDR names another server than the one used.
	Ignored []string
}

// Origin is where a setting comes from.
type Origin struct {
	// What is set, and to what; Value is empty for a secret.
	What, Value string
	From        Source
}

// DockerAuth is an account at a registry of images.
type DockerAuth struct {
	Username string
	Password Secret
	// Server is the registry's address; "" for the one in the image's name.
	Server string
}

// NomadPlace says on which nodes containers may be, and on which they should.
type NomadPlace struct {
	// NodePool is the server's default where it is empty.
	NodePool string
	// Priority is 1 to 100, 0 for the server's default.
	Priority    int
	Constraints []Constraint
	Affinities  []Affinity
	Spreads     []Spread
}

// Constraint rules out nodes, in Nomad's own words for each part.
type Constraint struct {
	Attribute, Operator, Value string
}

// Affinity prefers nodes; a negative weight avoids them.
type Affinity struct {
	Attribute, Operator, Value string
	// Weight is -100 to 100, not 0.
	Weight int
}

// Spread distributes containers over the values of an attribute.
type Spread struct {
	Attribute string
	// Weight is 1 to 100.
	Weight int
	// Targets give values their share; none is an even spread. They are sorted
	// by value.
	Targets []SpreadTarget
}

// SpreadTarget is the share of one value in percent.
type SpreadTarget struct {
	Value   string
	Percent int
}

// NomadPolicy says what Nomad does over time.
type NomadPolicy struct {
	Restart    RestartPolicy
	Reschedule ReschedulePolicy
	Update     UpdatePolicy
	Logs       LogPolicy
}

// RestartPolicy is about a container that ended, on its node.
type RestartPolicy struct {
	// Attempts within Interval are made, Delay after the end; then Mode, "fail"
	// or "delay", says what follows.
	Attempts        int
	Interval, Delay time.Duration
	Mode            string
}

// ReschedulePolicy is about a container that failed on its node and needs
// another.
type ReschedulePolicy struct {
	// Unlimited attempts need neither Attempts nor Interval.
	Unlimited bool
	Attempts  int
	Interval  time.Duration
	// Delay grows by DelayFunction, "constant", "exponential" or "fibonacci",
	// up to MaxDelay.
	Delay, MaxDelay time.Duration
	DelayFunction   string
}

// UpdatePolicy is about replacing running containers by changed ones.
type UpdatePolicy struct {
	// MaxParallel containers are replaced at a time.
	MaxParallel int
	// HealthCheck is "task_states" or "checks".
	HealthCheck string
	// A container is healthy after MinHealthyTime, and has until
	// HealthyDeadline; ProgressDeadline is the time for the next to be.
	MinHealthyTime, HealthyDeadline, ProgressDeadline time.Duration
	// AutoRevert goes back to the last good version when a change fails.
	AutoRevert bool
}

// LogPolicy bounds what a container's output takes on its node. Zeros are
// Nomad's defaults.
type LogPolicy struct {
	MaxFiles int
	// MaxFileSize is in bytes.
	MaxFileSize int64
}

// DefaultNomadPolicy is what holds for keys that are not set.
//
// An executor that ended is tried a few times where it is, then Nomad finds
// it another node, and never gives it up: a topology without one of its
// containers processes nothing. Containers are changed one at a time: of two
// executors of one index, which can overlap while one ends, never more than
// one index is concerned. Health is that of the task, for checks need a
// catalog.
func DefaultNomadPolicy() NomadPolicy {
	return NomadPolicy{
		Restart: RestartPolicy{Attempts: 3, Interval: 10 * time.Minute, Delay: 5 * time.Second, Mode: "fail"},
		Reschedule: ReschedulePolicy{
			Unlimited: true,
			Delay:     5 * time.Second, MaxDelay: 5 * time.Minute, DelayFunction: "exponential",
		},
		Update: UpdatePolicy{
			MaxParallel: 1, HealthCheck: "task_states",
			MinHealthyTime: 5 * time.Second, HealthyDeadline: 5 * time.Minute, ProgressDeadline: 10 * time.Minute,
		},
	}
}
