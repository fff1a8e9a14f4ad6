package apiclient

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
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
	for address, code := range map[string]int{
		server.URL + "/text":  1,
		server.URL + "/other": 1,
		"http://127.0.0.1:1":  6,
		"no-url":              1,
	} {
		_, err := Version(t.Context(), address)
		var e *Error
		if !errors.As(err, &e) || e.ExitCode() != code {
			t.Errorf("%s: %v, want exit code %d", address, err, code)
		}
	}
}
