package standin

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// knobsFile lies in the heron-core folder: lines NAME=VALUE for the
// variables below. The environment wins over it.
const knobsFile = "standin.conf"

// Variables that change what the stand-in does.
const (
	// How long a TManager that exited stays away; 10s as the real one.
	envRestartDelay = "HERON_STANDIN_RESTART_DELAY"
	// "abandon" (as the real one: the location outlives a TManager that
	// exits by itself until its session ends) or "close".
	envSession = "HERON_STANDIN_SESSION"
	// The TManager's ZooKeeper session; 30s as the real one.
	envSessionTimeout = "HERON_STANDIN_SESSION_TIMEOUT"
	// Each instance logs numbered lines, with this pause between them: "100ms"
	// or, with the size at which a file is rotated, "100ms,4096".
	envLines = "HERON_STANDIN_LINES"
	// Misbehaviour: a comma list of words, each for all containers or, with
	// "@index" behind it, for one.
	envFail = "HERON_STANDIN_FAIL"
)

// Words of envFail.
const (
	// The executor exits with 1 before it does anything.
	failAtStart = "exit-at-start"
	// The executor takes no notice of SIGTERM.
	failIgnoreTerm = "ignore-sigterm"
	// The stream manager never registers, so no physical plan appears.
	failNeverRegister = "never-register"
	// Another program has the port that the TManager's controller was given.
	failPortTaken = "port-taken"
)

type knobs struct {
	restartDelay   time.Duration
	sessionTimeout time.Duration
	closeSession   bool
	lineEvery      time.Duration
	logLimit       int64
	fail           []string
}

// readKnobs takes the environment and the file beside the binaries.
func readKnobs(program string) (knobs, error) {
	file, err := knobsFromFile(program)
	if err != nil {
		return knobs{}, err
	}
	get := func(name, fallback string) string {
		if v := os.Getenv(name); v != "" {
			return v
		}
		if v := file[name]; v != "" {
			return v
		}
		return fallback
	}
	var k knobs
	if k.restartDelay, err = time.ParseDuration(get(envRestartDelay, "10s")); err != nil {
		return k, fmt.Errorf("%s: %w", envRestartDelay, err)
	}
	if k.sessionTimeout, err = time.ParseDuration(get(envSessionTimeout, "30s")); err != nil {
		return k, fmt.Errorf("%s: %w", envSessionTimeout, err)
	}
	if k.lineEvery, k.logLimit, err = parseLines(get(envLines, "")); err != nil {
		return k, fmt.Errorf("%s: %w", envLines, err)
	}
	switch v := get(envSession, "abandon"); v {
	case "abandon":
	case "close":
		k.closeSession = true
	default:
		return k, fmt.Errorf("%s=%s: neither abandon nor close", envSession, v)
	}
	if v := get(envFail, ""); v != "" {
		k.fail = strings.Split(v, ",")
	}
	for _, word := range k.fail {
		name, _, _ := strings.Cut(word, "@")
		if !slices.Contains([]string{failAtStart, failIgnoreTerm, failNeverRegister, failPortTaken}, name) {
			return k, fmt.Errorf("%s: unknown word %q", envFail, word)
		}
	}
	return k, nil
}

func knobsFromFile(program string) (map[string]string, error) {
	data, err := os.ReadFile(filepath.Join(filepath.Dir(program), "..", knobsFile))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m := map[string]string{}
	for _, line := range strings.Split(string(data), "\n") {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(name, "#") {
			m[name] = value
		}
	}
	return m, nil
}

// fails says whether container shard is to misbehave in this way.
func (k knobs) fails(word string, shard int) bool {
	return slices.Contains(k.fail, word) || slices.Contains(k.fail, word+"@"+strconv.Itoa(shard))
}
