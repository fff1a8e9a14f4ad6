package testenv

import "os"

// Times is how often a test repeats what gets surer by repetition: normal in
// "make test", long in "make soak", which sets HERON_SOAK.
func Times(normal, long int) int {
	if os.Getenv("HERON_SOAK") != "" {
		return long
	}
	return normal
}
