package packing

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
)

// chains.txt holds what the original's classes made of random topologies, one
// after the other: each repacks the plan that the one before stored. A line
// names an algorithm and changes, and then the SHA-256 of the stored plan, or
// what the original said. Every second plan was stored with what its
// containers are given, as schedulers do.
func TestChainsAreTheOriginals(t *testing.T) {
	data, err := os.ReadFile("testdata/chains.txt")
	if err != nil {
		t.Fatal(err)
	}
	chains := strings.Split(strings.TrimSpace(string(data)), "\n\n")
	if len(chains) < 40 {
		t.Errorf("%d chains", len(chains))
	}
	for i, chain := range chains {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			lines := strings.Split(chain, "\n")
			var s Settings
			if _, err := fmt.Sscanf(lines[2], "instance %g %d %d", &s.InstanceCPU, &s.InstanceRAM, &s.InstanceDisk); err != nil {
				t.Fatal(err)
			}
			def := define(t, strings.TrimPrefix(lines[0], "topology "),
				strings.Fields(strings.TrimPrefix(lines[1], "config"))...)
			var current *Plan
			for k, line := range lines[3:] {
				step, want, recorded := strings.Cut(line, " = ")
				if !recorded {
					step, want, _ = strings.Cut(line, " ! ")
				}
				name, changes, _ := strings.Cut(step, " ")
				alg, err := New(name, s)
				if err != nil {
					t.Fatal(err)
				}
				var got *Plan
				if k == 0 {
					got, err = alg.Pack(def)
				} else {
					got, err = alg.Repack(def, current, parseChanges(t, changes))
				}
				if !recorded {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("%s: error %v, want %q", line, err, want)
					}
					continue
				}
				if err != nil {
					t.Fatalf("%s: %v", line, err)
				}
				if sum := fmt.Sprintf("%x", sha256.Sum256(encode(t, got))); sum != want {
					t.Fatalf("%s: another plan, %s", line, short(got))
				}
				if k%2 == 0 {
					got = got.Homogeneous()
				}
				if current, err = Decode(encode(t, got)); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func encode(t *testing.T, p *Plan) []byte {
	t.Helper()
	data, err := proto.Marshal(p.Proto())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// parseChanges reads "component:delta,component:delta".
func parseChanges(t *testing.T, text string) []Change {
	t.Helper()
	var changes []Change
	for _, piece := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
		name, number, _ := strings.Cut(piece, ":")
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatalf("changes %q: %v", text, err)
		}
		changes = append(changes, Change{Component: name, Delta: n})
	}
	return changes
}
