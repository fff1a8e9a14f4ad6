package standin

import (
	"io"
	"strconv"
	"testing"
	"time"
)

// patience is how long a test waits for what should come soon; a loaded
// machine takes its time.
const patience = 40 * time.Second

func itoa(n int) string { return strconv.Itoa(n) }

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// eventually polls until ok says yes. said is the last reason for a no.
func eventually(t *testing.T, what string, ok func() (yes bool, said any)) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		yes, said := ok()
		if yes {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s; last: %v", what, patience, said)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
