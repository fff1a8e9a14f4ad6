package heronshell

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// server answers requests, path and query together, with bodies; other
// requests fail as a folder that is not there does.
func server(t *testing.T, answers map[string]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := answers[r.URL.RequestURI()]
		if !ok {
			http.Error(w, "500: Internal Server Error", http.StatusInternalServerError)
			return
		}
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func TestFiles(t *testing.T) {
	at := server(t, map[string]string{
		"/filestats/log-files": `{"..": {"formatted_stat": "drwxr-xr-x   9        ann        ann       4096 Mar  4 10:00", "is_dir": true, "path": ""},
			"a b.log.0": {"formatted_stat": "-rw-r--r--   1        ann domain users     123456 Mar  4 10:00", "is_dir": false, "path": "log-files%2Fa+b.log.0"},
			"old": {"formatted_stat": "drwxr-xr-x   2       1000       1000       4096 Dec 31  2025", "is_dir": true, "path": "log-files%2Fold"}}`,
		"/filestats/odd":  `{"x": {"formatted_stat": "?", "is_dir": false}}`,
		"/filestats/html": `<html>`,
	})
	c := New(Options{})
	defer c.Close()
	got, err := c.Files(t.Context(), at, "log-files")
	slices.SortFunc(got, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	if want := []File{{"a b.log.0", 123456, false}, {"old", 4096, true}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := c.Files(t.Context(), at, "nowhere"); !errors.Is(err, ErrNoFile) {
		t.Errorf("a folder that is not there: %v", err)
	}
	if _, err := c.Files(t.Context(), at, "html"); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), at) {
		t.Errorf("another server: %v", err)
	}
	if _, err := c.Files(t.Context(), at, "odd"); err == nil {
		t.Error("a size that is not understood is no error")
	}
}

func TestTextIsAsTheFileSays(t *testing.T) {
	at := server(t, map[string]string{
		"/filedata/a%20b/x.log?length=7&offset=2": `{"offset": 2, "length": 13, "data": "&lt;&amp;lt;&gt; \u00e9\ufffd"}`,
		"/filedata/empty?length=1&offset=0":       `{"offset": 0, "length": 0}`,
		"/filedata/gone?length=1&offset=0":        "",
	})
	c := New(Options{})
	defer c.Close()
	if got, err := c.Text(t.Context(), at, "a b/x.log", 2, 7); err != nil || got != "<&lt;> é\uFFFD" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := c.Text(t.Context(), at, "empty", 0, 1); err != nil || got != "" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := c.Text(t.Context(), at, "gone", 0, 1); !errors.Is(err, ErrNoFile) {
		t.Errorf("a file that is not there: %q, %v", got, err)
	}
}

func TestNoAnswer(t *testing.T) {
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(hangs.Close)
	at := strings.TrimPrefix(hangs.URL, "http://")
	c := New(Options{})
	c.http.Timeout = 50 * time.Millisecond
	if _, err := c.Text(t.Context(), at, "gone", 0, 1); !errors.Is(err, ErrUnreachable) {
		t.Errorf("a file that is gone: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	cancel(stopped)
	if _, err := c.Text(ctx, at, "x", 0, 1); !errors.Is(err, stopped) {
		t.Errorf("after Ctrl-C: %v", err)
	}
}
