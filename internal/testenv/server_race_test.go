package testenv

import (
	"net/http"
	"testing"
)

// A server that a fault proxy's handler kills is started again by the test.
// Under the race detector this fails where the two share memory unguarded.
func TestAServerMayBeKilledFromAnotherGoroutine(t *testing.T) {
	dir := t.TempDir()
	server, err := StartZooKeeper(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	proxy := HTTPProxy(t, "http://127.0.0.1:1")
	proxy.Fail(HTTPCut, -1, func(string, string) bool {
		if err := server.Kill(); err != nil {
			t.Error(err)
		}
		return true
	})
	if resp, err := http.Get(proxy.URL); err == nil {
		_ = resp.Body.Close()
		t.Error("the request was answered")
	}
	if err := server.Restart(t.Context()); err != nil || server.Pid() == 0 {
		t.Errorf("%v, process %d", err, server.Pid())
	}
}
