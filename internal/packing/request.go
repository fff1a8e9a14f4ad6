package packing

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/heron-nomad/heron/internal/packing/java"
	"github.com/heron-nomad/heron/internal/topology"
)

// unspecified is how a definition may say that it leaves an amount of a
// container open; leaving the key out says the same.
const unspecified = -1

// request is what a definition asks of each container. Amounts left open are
// nil.
type request struct {
	cpu  *cores
	ram  *bytes
	disk *bytes
}

// requestOf reads a definition's topology.container.cpu, .ram and .disk.
func requestOf(def *topology.Definition) (request, error) {
	var (
		r   request
		err error
	)
	if text, ok := def.Config(topology.KeyContainerCPU); ok {
		v, parseErr := java.ParseDouble(text)
		if parseErr != nil || !finite(v) {
			return r, fmt.Errorf("%s is %q, not a number of cores", topology.KeyContainerCPU, text)
		}
		if v != unspecified {
			r.cpu = (*cores)(&v)
		}
	}
	if r.ram, err = optionalBytes(def, topology.KeyContainerRAM); err != nil {
		return r, err
	}
	r.disk, err = optionalBytes(def, topology.KeyContainerDisk)
	if err == nil && r.disk != nil && *r.disk < 0 {
		err = fmt.Errorf("%s is %d: it must not be below 0", topology.KeyContainerDisk, *r.disk)
	}
	return r, err
}

func optionalBytes(def *topology.Definition, key string) (*bytes, error) {
	n, err := bytesOf(def, key, unspecified)
	if err != nil || n == unspecified {
		return nil, err
	}
	return &n, nil
}

// bytesOf reads an amount of bytes of the definition.
func bytesOf(def *topology.Definition, key string, missing bytes) (bytes, error) {
	text, ok := def.Config(key)
	if !ok {
		return missing, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s is %q, not a whole number of bytes", key, text)
	}
	return bytes(n), nil
}

// explicitRAM is what the definition gives instances of single components.
func explicitRAM(def *topology.Definition) (map[string]bytes, error) {
	given, err := def.ResourceMap(topology.KeyComponentRAMMap)
	if err != nil {
		return nil, err
	}
	m := make(map[string]bytes, len(given))
	for name, n := range given {
		m[name] = bytes(n)
	}
	return m, nil
}

// explicitCPU is what the definition gives instances of single components.
func explicitCPU(def *topology.Definition) (map[string]cores, error) {
	given, err := def.CPUMap()
	if err != nil {
		return nil, err
	}
	m := make(map[string]cores, len(given))
	var bad []error
	for name, n := range given {
		if !finite(n) || n < 0 {
			bad = append(bad, fmt.Errorf("%s: component %q has %s, not a number of cores",
				topology.KeyComponentCPUMap, name, java.Double(n)))
		}
		m[name] = cores(n)
	}
	return m, errors.Join(bad...)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
