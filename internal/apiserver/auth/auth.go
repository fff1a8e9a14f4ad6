// Package auth says who sends a request to the API server and what that one
// may do.
//
// Who may do what stands in a file that holds digests of tokens, so that
// reading it lets nobody in. Requests are told apart by a bearer token or by
// the name in a client certificate that the server's TLS has verified.
package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// Verb is a kind of request.
type Verb string

// The verbs. Read is all that changes nothing; Any is all of them.
const (
	Read       Verb = "read"
	Submit     Verb = "submit"
	Kill       Verb = "kill"
	Activate   Verb = "activate"
	Deactivate Verb = "deactivate"
	Restart    Verb = "restart"
	Update     Verb = "update"
	Upload     Verb = "upload"
	Delete     Verb = "delete"
	Rollback   Verb = "rollback"
	Unlock     Verb = "unlock"
	Logs       Verb = "logs"
	Metrics    Verb = "metrics"
	GC         Verb = "gc"
	Doctor     Verb = "doctor"
	// Nodes goes with Doctor, and is to run a job on every node.
	Nodes Verb = "nodes"
	Any   Verb = "*"
)

// Verbs lists all verbs.
func Verbs() []Verb {
	return []Verb{Read, Submit, Kill, Activate, Deactivate, Restart, Update, Upload, Delete, Rollback, Unlock, Logs, Metrics, GC, Doctor, Nodes, Any}
}

// Identity is who sends a request.
type Identity struct {
	// Name is for logs.
	Name string
	// Verbs may be used on topologies of Roles; "*" is every role.
	Verbs []Verb
	Roles []string
	// Everybody: it is anybody at all, who was not asked for a token.
	Everybody bool
}

// Anyone is who sends a request to a server without authentication.
func Anyone() *Identity {
	return &Identity{Name: "anyone", Everybody: true, Verbs: []Verb{Any}, Roles: []string{"*"}}
}

// May says whether the identity may use a verb at all.
func (i *Identity) May(v Verb) bool {
	return slices.Contains(i.Verbs, v) || slices.Contains(i.Verbs, Any)
}

// Serves says whether the identity may act on topologies of a role.
func (i *Identity) Serves(role string) bool {
	return slices.Contains(i.Roles, role) || slices.Contains(i.Roles, "*")
}

// Errors of Identify.
var (
	// ErrMissing: there is no token and no certificate.
	ErrMissing = errors.New("no token and no client certificate")
	// ErrUnknown: what there is belongs to nobody.
	ErrUnknown = errors.New("the token or client certificate is not known here")
)

// Checker tells who sends a request. A nil Checker lets everybody in.
type Checker struct {
	file *file
	// certificates: without a file, whoever has a verified certificate may do
	// everything.
	certificates bool
}

// New makes a checker of a file of tokens, "" for none. Without a file, and with
// certificates, a verified client certificate gives all rights. Without both
// the checker is nil.
func New(path string, certificates bool) (*Checker, error) {
	if path == "" {
		if !certificates {
			return nil, nil
		}
		return &Checker{certificates: true}, nil
	}
	f := &file{path: path}
	if _, err := f.entries(); err != nil {
		return nil, err
	}
	return &Checker{file: f, certificates: certificates}, nil
}

// Identify says who sends a request: ErrMissing, ErrUnknown, or another error
// where the file of tokens cannot be read.
func (c *Checker) Identify(r *http.Request) (*Identity, error) {
	if c == nil {
		return Anyone(), nil
	}
	name := certificate(r)
	if c.file == nil {
		if name == "" {
			return nil, ErrMissing
		}
		return &Identity{Name: name, Verbs: []Verb{Any}, Roles: []string{"*"}}, nil
	}
	entries, err := c.file.entries()
	if err != nil {
		return nil, err
	}
	token := bearer(r)
	switch {
	case token == "" && name == "":
		return nil, ErrMissing
	case token != "":
		// Looking a digest up tells nothing of the token by its time.
		sum := sha256.Sum256([]byte(token))
		if found := entries.byDigest[hex.EncodeToString(sum[:])]; found != nil {
			return found, nil
		}
	default:
		if found := entries.byCertificate[name]; found != nil && c.certificates {
			return found, nil
		}
	}
	return nil, ErrUnknown
}

// bearer is the token of a request, "" for none.
func bearer(r *http.Request) string {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// certificate is the name in the verified certificate of a client, "" for none.
func certificate(r *http.Request) string {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 || len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	return r.TLS.PeerCertificates[0].Subject.CommonName
}
