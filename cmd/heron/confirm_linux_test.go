package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/wire"
)

func TestConfirmName(t *testing.T) {
	for typed, kind := range map[string]outcome.Kind{"wc\n": "", " wc \n": "", "no\n": outcome.Usage, "\n": outcome.Usage} {
		program, person := terminal(t, 60)
		var asked bytes.Buffer
		a := &app{stdin: program, stderr: &asked}
		if _, err := person.WriteString(typed); err != nil {
			t.Fatal(err)
		}
		if err := a.confirmName(t.Context(), "kill", "wc"); outcome.KindOf(err) != kind || !strings.Contains(asked.String(), "Type the topology's name") {
			t.Errorf("%q: %v after %q", typed, err, asked.String())
		}
	}
	if err := (&app{stdin: strings.NewReader("wc\n")}).confirmName(t.Context(), "kill", "wc"); outcome.KindOf(err) != outcome.Usage || !strings.Contains(err.Error(), "--yes") {
		t.Errorf("without a terminal: %v", err)
	}
	program, _ := terminal(t, 60)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (&app{stdin: program, stderr: new(bytes.Buffer)}).confirmName(ctx, "kill", "wc"); outcome.KindOf(err) != outcome.Interrupted {
		t.Errorf("interrupted: %v", err)
	}
}

// Killing a topology of a protected cluster through its API server takes what
// it takes without one.
func TestKillThroughAServerIsConfirmed(t *testing.T) {
	killed := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(wire.HeaderAPI, "1")
		switch {
		case r.Method == http.MethodDelete:
			killed++
			_, _ = io.WriteString(w, `{"id":"o","state":"running"}`)
		case strings.HasSuffix(r.URL.Path, "/events"):
			_, _ = io.WriteString(w, `{"operation":{"id":"o","state":"succeeded","result":{"topology":"wc","found":true,"removed":[],"kept":[]}}}`+"\n")
		default:
			w.Header().Set(wire.HeaderProtected, "true")
			_, _ = io.WriteString(w, `{"heron.build.version":"0.20.5"}`)
		}
	}))
	defer s.Close()
	kill := func(typed string, flags ...string) (int, string) {
		program, person := terminal(t, 60)
		if _, err := person.WriteString(typed); err != nil {
			t.Fatal(err)
		}
		var stdin io.Reader = program
		if typed == "" {
			stdin = strings.NewReader("wc\n")
		}
		var said bytes.Buffer
		env := map[string]string{"HOME": t.TempDir(), "USER": "ann"}
		a := &app{stdin: stdin, stdout: &said, stderr: &said, getenv: func(name string) string { return env[name] }, env: os.Environ(), now: time.Now}
		code := a.run(t.Context(), "heron", append(append([]string{"kill", "--service-url=" + s.URL}, flags...), "nomad", "wc"))
		return code, said.String()
	}
	for _, c := range []struct {
		typed, flag string
		code, kills int
		says        string
	}{
		{"", "--quiet", exitInput, 0, "give --yes"},
		{"no\n", "--quiet", exitInput, 0, "nothing was changed"},
		{"wc\n", "--quiet", exitOK, 1, "topology wc killed"},
		{"", "--yes", exitOK, 1, "topology wc killed"},
	} {
		killed = 0
		if code, said := kill(c.typed, c.flag); code != c.code || killed != c.kills || !strings.Contains(said, c.says) {
			t.Errorf("typed %q, %s: code %d, %d kills: %s", c.typed, c.flag, code, killed, said)
		}
	}
}
