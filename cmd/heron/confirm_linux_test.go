package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/outcome"
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
