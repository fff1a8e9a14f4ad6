package apiclient

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/heron-nomad/heron/internal/outcome"
)

func TestVersion(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answers := map[string]string{
			"/api/v1/version":      `{"heron.build.version":"0.20.5","heron.build.timestamp":1500000000}`,
			"/text/api/v1/version": `hello`,
		}
		text, ok := answers[r.URL.Path]
		if !ok {
			http.Error(w, "no", http.StatusTeapot)
			return
		}
		_, _ = io.WriteString(w, text)
	}))
	defer server.Close()
	for _, address := range []string{server.URL, server.URL + "/"} {
		got, err := Version(t.Context(), address)
		want := map[string]string{"heron.build.version": "0.20.5", "heron.build.timestamp": "1500000000"}
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %v, %v", address, got, err)
		}
	}
	for address, kind := range map[string]outcome.Kind{
		server.URL + "/text":  outcome.Failed,
		server.URL + "/other": outcome.Failed,
		"http://127.0.0.1:1":  outcome.Unreachable,
		"no-url":              outcome.Failed,
	} {
		_, err := Version(t.Context(), address)
		var e *Error
		if !errors.As(err, &e) || e.Kind() != kind {
			t.Errorf("%s: %v, want kind %s", address, err, kind)
		}
	}
}
