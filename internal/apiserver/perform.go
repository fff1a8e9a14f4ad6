package apiserver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
)

// headerIdempotency is a key with which a request may be repeated: it is done
// once.
const headerIdempotency = "Idempotency-Key"

// perform carries a task out. A client that asks for it (Prefer: respond-async)
// gets an operation to look at; others wait for the end, and a client that
// hangs up cancels what it waits for.
func (s *Server) perform(w http.ResponseWriter, r *http.Request, t task) error {
	ctx := r.Context()
	if repeats(r) {
		ctx = context.WithValue(ctx, keyAgain, true)
	}
	run, err := s.operations.start(ctx, t, identity(ctx).Name, r.Header.Get(headerIdempotency))
	if err != nil {
		return err
	}
	at := s.publicPath + prefix + "/operations/" + run.id
	w.Header().Set("Heron-Operation", run.id)
	if prefersAsync(r) {
		w.Header().Set("Location", at)
		w.Header().Set("Preference-Applied", "respond-async")
		writeJSON(w, http.StatusAccepted, run.doc())
		return nil
	}
	leave := run.watch()
	select {
	case <-run.done:
		leave(false)
	case <-ctx.Done():
		leave(true)
		return refuse(statusHungUp, "%v", errHungUp)
	}
	reply, err := run.end()
	if err != nil {
		return err
	}
	if reply.location != "" {
		w.Header().Set("Location", reply.location)
	}
	writeJSON(w, reply.status, reply.body)
	return nil
}

// statusHungUp is what the log has for a client that went away, as nginx has it.
const statusHungUp = 499

// prefersAsync says whether a client asks for an operation.
func prefersAsync(r *http.Request) bool {
	return slices.ContainsFunc(r.Header.Values("Prefer"), func(value string) bool {
		return slices.ContainsFunc(strings.Split(value, ","), func(p string) bool { return strings.TrimSpace(p) == "respond-async" })
	})
}

// digestOf identifies what a request without files asks for.
func digestOf(r *http.Request, more string) string {
	sum := sha256.Sum256([]byte(r.Method + " " + r.URL.Path + "?" + r.URL.RawQuery + "\n" + more))
	return hex.EncodeToString(sum[:])
}
