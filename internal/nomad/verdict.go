package nomad

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/hashicorp/nomad/api"
)

// verdict says whether sending a failed request once more may help.
type verdict int

const (
	// lasting failures stay.
	lasting verdict = iota
	// unclear failures are errors of Nomad's own that may be about the request.
	unclear
	// passing failures end by themselves: a leader is elected, a server comes
	// back, a proxy lets more requests through.
	passing
)

// enforceIndexMark starts Nomad's message about a write whose index did not
// match. The API has neither a status nor a code for it.
const enforceIndexMark = "Enforcing job modify index"

// indexRefused says whether an answer means that the job's index was another
// than the one enforced.
func indexRefused(answer api.UnexpectedResponseError) bool {
	return answer.StatusCode() == http.StatusInternalServerError && strings.Contains(answer.Body(), enforceIndexMark)
}

// deniedMark is Nomad's message where a token lacks a right. What nodes answer
// with as a stream, such as the logs of a task, has it with status 500.
const deniedMark = "Permission denied"

// streamDenied says whether an answer is such a refusal.
func streamDenied(answer api.UnexpectedResponseError) bool {
	return answer.StatusCode() == http.StatusInternalServerError && strings.TrimSpace(answer.Body()) == deniedMark
}

// judge says of an error of the API whether the request is worth repeating.
func judge(err error) verdict {
	var answer api.UnexpectedResponseError
	if errors.As(err, &answer) {
		return judgeAnswer(answer.StatusCode(), answer.Body())
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return lasting
	}
	for _, broken := range []error{
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE,
		syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.ENETUNREACH, io.EOF, io.ErrUnexpectedEOF,
	} {
		if errors.Is(err, broken) {
			return passing
		}
	}
	var name *net.DNSError
	if errors.As(err, &name) {
		if name.IsTemporary && !name.IsNotFound {
			return passing
		}
		return lasting
	}
	var slow net.Error
	if errors.As(err, &slow) && slow.Timeout() {
		return passing
	}
	return lasting
}

func judgeAnswer(status int, body string) verdict {
	has := func(mark string) bool { return strings.Contains(body, mark) }
	switch {
	case status == http.StatusTooManyRequests:
		return passing
	case status < 500 || status == http.StatusNotImplemented || status == http.StatusHTTPVersionNotSupported:
		return lasting
	case status != http.StatusInternalServerError:
		return passing
	}
	// Status 500 has no finer code, so Nomad's words decide. The first are about
	// the request, the others about the servers.
	for _, mark := range []string{enforceIndexMark, deniedMark, "No path to region", "nonexistent namespace"} {
		if has(mark) {
			return lasting
		}
	}
	for _, mark := range []string{
		"No cluster leader", "No known servers", "Not ready to serve consistent reads", "node is not the leader",
		"leadership lost", "leadership transfer", "raft is already shutdown", "failed to get conn", "rpc error: EOF",
		"connection refused", "connection reset", "broken pipe", "i/o timeout", "session shutdown", "stream closed",
		"context deadline exceeded", "timed out enqueuing operation",
	} {
		if has(mark) {
			return passing
		}
	}
	if strings.TrimSpace(body) == http.StatusText(status) {
		// A proxy's words.
		return passing
	}
	return unclear
}
