package apiserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/wire"
)

// httpError is a request that is refused before a use case is asked.
type httpError struct {
	status int
	kind   outcome.Kind
	msg    string
	// missing are the names of parameters that are not there.
	missing []string
	header  http.Header
}

func (e *httpError) Error() string { return e.msg }

// Kind implements the contract of package outcome.
func (e *httpError) Kind() outcome.Kind {
	if e.kind != "" {
		return e.kind
	}
	return outcome.Usage
}

func refuse(status int, format string, args ...any) error {
	return &httpError{status: status, msg: fmt.Sprintf(format, args...)}
}

// newProblem words a failure for whoever sent the request.
func newProblem(err error, requestID string) *wire.Problem {
	var past *pastError
	if errors.As(err, &past) {
		return past.problem
	}
	p := wire.NewProblem(err, requestID)
	var refused *httpError
	if errors.As(err, &refused) && refused.missing != nil {
		p.Errors = &wire.Parameters{Missing: refused.missing}
	}
	return p
}

// statusOf is the status that goes with a failure.
func statusOf(err error) int {
	var refused *httpError
	if errors.As(err, &refused) {
		return refused.status
	}
	var past *pastError
	if errors.As(err, &past) {
		return past.status
	}
	switch outcome.KindOf(err) {
	case outcome.Usage:
		return http.StatusUnprocessableEntity
	case outcome.NotFound:
		return http.StatusNotFound
	case outcome.Exists, outcome.Busy, outcome.Differs:
		return http.StatusConflict
	case outcome.Unreachable, outcome.Denied:
		return http.StatusBadGateway
	case outcome.WaitExpired:
		return http.StatusGatewayTimeout
	case outcome.Interrupted:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// encode is compact JSON as the original writes it: without a line's end.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Appendf(nil, `{"message":%q}`, "the answer cannot be written: "+err.Error())
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// writeJSON answers with a value.
func writeJSON(w http.ResponseWriter, status int, v any) {
	writeBody(w, status, "application/json", encode(v))
}

func writeBody(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone reads nothing
}

// writeError answers with a failure.
func writeError(w http.ResponseWriter, r *http.Request, err error) {
	var refused *httpError
	if errors.As(err, &refused) {
		for name, values := range refused.header {
			w.Header()[name] = values
		}
	}
	writeJSON(w, statusOf(err), newProblem(err, requestID(r.Context())))
}

// message is the body of most successes.
type message struct {
	Message string `json:"message"`
}

// pretty is an object of texts as the original's pretty printer writes it, keys
// in order.
func pretty(keys []string, value func(string) string) []byte {
	var b bytes.Buffer
	b.WriteString("{")
	for i, k := range keys {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, "\n  %s : %s", encode(k), value(k))
	}
	if len(keys) > 0 {
		b.WriteString("\n")
	} else {
		b.WriteString(" ")
	}
	b.WriteString("}")
	return b.Bytes()
}
