package testenv

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// Seed is the number in an environment variable, or a new one if it is not set.
// It is logged, so that a run of a random test can be repeated.
func Seed(t testing.TB, variable string) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv(variable); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("read %s: %v", variable, err)
		}
	}
	t.Logf("%s=%d", variable, seed)
	return seed
}
