package topology

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// DefaultCheckpointRAM is what a checkpoint manager gets, in bytes, where the
// definition does not say; also where it runs none.
const DefaultCheckpointRAM = 1 << 30

// Reliability is what a topology promises about its tuples.
type Reliability string

// The modes that exist.
const (
	AtMostOnce      Reliability = "ATMOST_ONCE"
	AtLeastOnce     Reliability = "ATLEAST_ONCE"
	EffectivelyOnce Reliability = "EFFECTIVELY_ONCE"
)

// Reliability reads the mode; a definition without one, or with an empty one,
// promises nothing, which is AtMostOnce. An unknown mode is an error.
func (d *Definition) Reliability() (Reliability, error) {
	switch mode := Reliability(text(d.pb.GetTopologyConfig(), KeyReliabilityMode, "")); mode {
	case "":
		return AtMostOnce, nil
	case AtMostOnce, AtLeastOnce, EffectivelyOnce:
		return mode, nil
	default:
		return "", fmt.Errorf("%s is %q: set it to %s, %s or %s",
			KeyReliabilityMode, string(mode), AtMostOnce, AtLeastOnce, EffectivelyOnce)
	}
}

// Stateful says whether containers run a checkpoint manager.
func (d *Definition) Stateful() (bool, error) {
	mode, err := d.Reliability()
	return mode == EffectivelyOnce, err
}

// CheckpointRAM is the checkpoint manager's memory in bytes, also for a
// topology that runs none.
func (d *Definition) CheckpointRAM() (int64, error) {
	value := text(d.pb.GetTopologyConfig(), KeyCkptmgrRAM, strconv.Itoa(DefaultCheckpointRAM))
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s is %q, not a number of bytes", KeyCkptmgrRAM, value)
	}
	return n, nil
}

// WorkerOptions are the JVM options of every instance, "" for none.
func (d *Definition) WorkerOptions() string {
	return text(d.pb.GetTopologyConfig(), KeyWorkerChildopts, "")
}

// ComponentOptions are the JVM options per component: a JSON object whose
// keys and values are base64 text; "" for none.
func (d *Definition) ComponentOptions() string {
	return text(d.pb.GetTopologyConfig(), KeyComponentJVMOpts, "")
}

// AdditionalClasspath is what the definition adds to its class path.
func (d *Definition) AdditionalClasspath() string {
	return text(d.pb.GetTopologyConfig(), KeyAdditionalClasses, "")
}

// RemoteDebugging says whether instances wait for a debugger.
func (d *Definition) RemoteDebugging() bool {
	return strings.EqualFold(text(d.pb.GetTopologyConfig(), KeyRemoteDebugging, ""), "true")
}

// EncodeOptions writes JVM options the way the executor's command line takes
// them: base64 with every "=" as "(61)", between double quotes.
func EncodeOptions(options string) string {
	encoded := base64.StdEncoding.EncodeToString([]byte(options))
	return `"` + strings.ReplaceAll(encoded, "=", "(61)") + `"`
}

// Classpath is the class path of instances in a container, for the topology
// file of that name. The executor's working directory is its root. As with
// the original, what is not a jar counts as a tar that holds a jar of its own
// name.
func (d *Definition) Classpath(file string) string {
	name := path.Base(file)
	if !strings.HasSuffix(name, ".jar") {
		stem := strings.ReplaceAll(strings.ReplaceAll(name, ".tar.gz", ""), ".tar", "")
		name = "libs/*:" + stem + ".jar"
	}
	if more := d.AdditionalClasspath(); more != "" {
		name += ":" + more
	}
	return name
}

// TrimmedDigest is the SHA-256, in lower-case hex, of the trimmed definition
// as the state store keeps it.
func (d *Definition) TrimmedDigest() (string, error) {
	data, err := d.Trimmed().Bytes()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// Filename is the definition's base name in a package.
func (d *Definition) Filename() string { return d.Name() + ".defn" }
