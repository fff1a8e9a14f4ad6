package update

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/topology"
)

// Request is what a topology is to become. What it leaves out stays as it is.
type Request struct {
	// Parallelism is how many instances components are to have. Of a component
	// that is in it twice the last counts.
	Parallelism []packing.Parallelism
	// Containers is how many containers there are to be, the TManager's not
	// counted; nil leaves that to the packing algorithm.
	Containers *int
	// Runtime are values of the runtime configuration.
	Runtime []topology.RuntimeValue
}

// ParseRequest reads a request as users write it: each of parallelism is
// "component:number", containers a number or "", each of runtime
// "[component:]key:value".
func ParseRequest(parallelism []string, containers string, runtime []string) (Request, error) {
	var r Request
	for _, text := range parallelism {
		at := strings.LastIndexByte(text, ':')
		n, err := strconv.ParseInt(text[at+1:], 10, 32)
		if at < 1 || err != nil {
			return Request{}, outcome.Errorf(outcome.Usage, "component parallelism %q is not of the form component:number", text)
		}
		r.Parallelism = append(r.Parallelism, packing.Parallelism{Component: text[:at], Instances: int(n)})
	}
	if containers != "" {
		n, err := strconv.ParseInt(containers, 10, 32)
		if err != nil {
			return Request{}, outcome.Errorf(outcome.Usage, "the number of containers is %q, not a whole number", containers)
		}
		r.Containers = new(int(n))
	}
	for _, text := range runtime {
		v, err := topology.ParseRuntimeValue(text)
		if err != nil {
			return Request{}, outcome.Errorf(outcome.Usage, "runtime configuration %w", err)
		}
		r.Runtime = append(r.Runtime, v)
	}
	return r, r.check()
}

// check refuses what is wrong whatever the topology is.
func (r Request) check() error {
	if len(r.Parallelism) == 0 && r.Containers == nil && len(r.Runtime) == 0 {
		return outcome.Errorf(outcome.Usage, "nothing is asked for: say how many instances a component or how many containers there are to be, or give runtime configuration")
	}
	for _, p := range r.Parallelism {
		if p.Instances < 1 || p.Instances > topology.MaxInstances {
			return outcome.Errorf(outcome.Usage, "component %q cannot have %d instances; use 1 to %d", p.Component, p.Instances, topology.MaxInstances)
		}
	}
	if r.Containers != nil && (*r.Containers < 1 || *r.Containers > topology.MaxInstances) {
		return outcome.Errorf(outcome.Usage, "there cannot be %d containers; use 1 to %d", *r.Containers, topology.MaxInstances)
	}
	return nil
}

// scales says that instances or containers are asked for.
func (r Request) scales() bool { return len(r.Parallelism) > 0 || r.Containers != nil }

// digest is the same for requests that ask for the same.
func (r Request) digest() (string, error) {
	instances := map[string]int{}
	for _, p := range r.Parallelism {
		instances[p.Component] = p.Instances
	}
	last := map[[2]string]string{}
	for _, v := range r.Runtime {
		last[[2]string{v.Component, v.Key}] = v.Value
	}
	var values []topology.RuntimeValue
	for key, value := range last {
		values = append(values, topology.RuntimeValue{Component: key[0], Key: key[1], Value: value})
	}
	slices.SortFunc(values, func(a, b topology.RuntimeValue) int {
		return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.Key, b.Key))
	})
	data, err := json.Marshal(struct {
		Instances  map[string]int
		Containers *int
		Runtime    []topology.RuntimeValue
	}{instances, r.Containers, values})
	if err != nil {
		return "", fmt.Errorf("digest the request: %w", err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}
