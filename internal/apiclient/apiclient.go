// Package apiclient asks a Heron API server. It knows the server's paths and
// answers; what to do with them is decided elsewhere.
package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
)

// timeout bounds one request.
const timeout = 30 * time.Second

// answerLimit is the most that is read of an answer, in bytes.
const answerLimit = 1 << 20

// Error is a request that an API server did not answer as hoped for.
type Error struct {
	// URL was asked; Reason is why that did not work.
	URL, Reason string
	Err         error
	// Unreachable: there was no answer at all.
	Unreachable bool
}

func (e *Error) Error() string {
	return fmt.Sprintf("ask the API server %s: %s; is the address right?", e.URL, e.Reason)
}

// Unwrap is the error below, if there is one.
func (e *Error) Unwrap() error { return e.Err }

// Kind implements the contract of package outcome.
func (e *Error) Kind() outcome.Kind {
	if e.Unreachable {
		return outcome.Unreachable
	}
	return outcome.Failed
}

// Version asks the server what it is: the keys and values of its release
// file. address is the service URL, with or without a slash at its end.
func Version(ctx context.Context, address string) (map[string]string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, &Error{URL: address, Reason: "it is not an http or https URL"}
	}
	target := strings.TrimRight(address, "/") + "/api/v1/version"
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, &Error{URL: target, Reason: err.Error(), Err: err, Unreachable: true}
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return nil, &Error{URL: target, Reason: err.Error(), Err: err, Unreachable: true}
	}
	if resp.StatusCode != http.StatusOK {
		return nil, &Error{URL: target, Reason: "it answers " + resp.Status}
	}
	var doc map[string]any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&doc); err != nil {
		return nil, &Error{URL: target, Reason: "its answer is not a JSON object", Err: err}
	}
	version := map[string]string{}
	for key, value := range doc {
		version[key] = fmt.Sprint(value)
	}
	return version, nil
}
