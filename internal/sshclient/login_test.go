package sshclient

import (
	"errors"
	"testing"
)

// A name that package sshconfig does not find is a host that is not reached.
func TestNameThatIsNotFoundIsUnreachable(t *testing.T) {
	t.Parallel()
	o := in(t.TempDir(), "-o CanonicalizeHostname=yes -o CanonicalDomains=none -o CanonicalizeFallbackLocal=no")
	if err := Check("host", o); err != nil {
		t.Errorf("Check looks names up: %v", err)
	}
	_, resolve := Resolve(t.Context(), "host", o)
	_, dial := Dial(t.Context(), "host", o)
	o.Args = "-J host -F " + write(t, homeWith(t, ""), "config", "Host host\nCanonicalizeHostname yes\nCanonicalizeFallbackLocal no\n")
	_, jump := Resolve(t.Context(), "10.0.0.1", o)
	for call, err := range map[string]error{"Resolve": resolve, "Dial": dial, "Resolve a jump host": jump} {
		var failed *UnreachableError
		if !errors.Is(err, ErrUnreachable) || !errors.As(err, &failed) || failed.Host != "host" {
			t.Errorf("%s: got %v", call, err)
		}
	}
}
