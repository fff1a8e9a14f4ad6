package topology

import (
	"slices"
	"strings"

	"github.com/heron-nomad/heron/internal/heronpb"
)

// Identity is for whom and where a topology is deployed.
type Identity struct {
	Cluster, Role, Environ, User string
}

// optionsVariable carries the options from the client to Heron's API in the
// user's program.
const optionsVariable = "HERON_OPTIONS"

// SecretVariables are environment variables that give access to Nomad, Consul,
// Vault, ZooKeeper and object stores. A user's program does not get them.
func SecretVariables() []string {
	return []string{
		"NOMAD_TOKEN", "NOMAD_HTTP_AUTH", "NOMAD_CLIENT_KEY",
		"CONSUL_HTTP_TOKEN", "CONSUL_HTTP_AUTH", "CONSUL_CLIENT_KEY", "CONSUL_TOKEN",
		"VAULT_TOKEN", "HERON_ZOOKEEPER_AUTH",
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
	}
}

// secretEndings make a variable of Heron's own a secret one.
var secretEndings = []string{"_TOKEN", "_PASSWORD", "_SECRET", "_SECRET_KEY", "_CREDENTIALS"}

// programVariables are the variables without those that the user's program
// must not have, and with the options set.
func programVariables(variables []string, options string) []string {
	secret := SecretVariables()
	kept := slices.DeleteFunc(slices.Clone(variables), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return name == optionsVariable || slices.Contains(secret, name) ||
			strings.HasPrefix(name, "HERON_") && slices.ContainsFunc(secretEndings, func(end string) bool {
				return strings.HasSuffix(name, end)
			})
	})
	return append(kept, optionsVariable+"="+options)
}

func getenv(variables []string, name string) string {
	value := ""
	for _, entry := range variables {
		if n, v, ok := strings.Cut(entry, "="); ok && n == name {
			value = v
		}
	}
	return value
}

// nameOption is for classes in a pex alone.
const nameOption = "cmdline.topology.name"

type option struct{ key, value string }

// joinOptions writes options as Heron's APIs read them: key=value joined
// with commas, a space as four percent signs. There is no escape for "," and
// "=".
func joinOptions(options []option) string {
	pairs := make([]string, len(options))
	for i, o := range options {
		pairs[i] = strings.ReplaceAll(o.key+"="+o.value, " ", "%%%%")
	}
	return strings.Join(pairs, ",")
}

// fitsOption says whether a value reaches the program whole.
func fitsOption(value string) bool { return !strings.ContainsAny(value, ",=") }

// options are those for one run that writes to dir.
func (p *Program) options(kind kind, dir string) ([]option, error) {
	state := p.InitialState
	if state == 0 {
		state = heronpb.TopologyState_RUNNING
	}
	list := []option{
		{"cmdline.topologydefn.tmpdirectory", dir},
		{"cmdline.topology.initial.state", state.String()},
		{"cmdline.topology.role", p.Identity.Role},
		{"cmdline.topology.environment", p.Identity.Environ},
		{"cmdline.topology.cluster", p.Identity.Cluster},
		{"cmdline.topology.file_name", p.File},
		{"cmdline.topology.class_name", p.Class},
		{"cmdline.topology.submit_user", p.Identity.User},
	}
	if kind == kindPex && p.Class != directClass && len(p.Args) > 0 {
		list = append(list, option{nameOption, p.Args[0]})
	}
	kept := list[:0]
	for _, o := range list {
		switch {
		// Heron's API for Python, which alone reads it, takes a second "=".
		case fitsOption(o.value), o.key == nameOption && !strings.Contains(o.value, ","):
			kept = append(kept, o)
		case o.key == "cmdline.topology.file_name":
			// No API needs it, and half a path would break the others.
		default:
			return nil, inputError(nil, "%s is %q, and options for the topology's program cannot hold a comma or an equals sign: use a value without", o.key, o.value)
		}
	}
	return kept, nil
}
