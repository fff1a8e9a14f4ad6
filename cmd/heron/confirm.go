package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// confirmName has a person type the name of the topology that a command is
// about. Without a terminal it is an error that names the flag to give
// instead.
func (a *app) confirmName(ctx context.Context, command, name string) error {
	in, isFile := a.stdin.(*os.File)
	if !isFile || !term.IsTerminal(int(in.Fd())) {
		return usagef("topologies of this cluster are protected (heron.nomad.protected); to %s %q give --yes; nothing was changed", command, name)
	}
	fmt.Fprintf(a.stderr, "Topologies of this cluster are protected. Type the topology's name to %s it: ", command)
	typed, err := readLine(ctx, in)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && !errors.Is(err, io.EOF):
		return fmt.Errorf("read the confirmation: %w", err)
	case typed != name:
		return usagef("typed was %q, not %q; nothing was changed", typed, name)
	}
	return nil
}

// readLine reads a line, or until ctx ends.
func readLine(ctx context.Context, from io.Reader) (string, error) {
	type read struct {
		line string
		err  error
	}
	done := make(chan read, 1)
	go func() {
		line, err := bufio.NewReader(from).ReadString('\n')
		done <- read{strings.TrimSpace(line), err}
	}()
	select {
	case r := <-done:
		return r.line, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
