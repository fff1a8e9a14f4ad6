package nomad

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/hashicorp/nomad/api"
	"golang.org/x/sync/errgroup"

	"github.com/heron-nomad/heron/internal/outcome"
)

// readers is how many jobs EachJob reads at a time.
const readers = 8

// HiddenError says that jobs of some namespace would not be seen, so that
// nothing can be concluded from their absence.
type HiddenError struct {
	// Namespace is one that is hidden, or a pattern; Err is why.
	Namespace string
	Err       error
}

// Error says what a token needs.
func (e *HiddenError) Error() string {
	return fmt.Sprintf("jobs of namespace %q cannot be seen (%v): a token is needed that may list and read the jobs of all namespaces: namespace \"*\" { capabilities = [\"list-jobs\", \"read-job\"] }",
		e.Namespace, e.Err)
}

// Kind implements the contract of package outcome.
func (e *HiddenError) Kind() outcome.Kind { return outcome.Denied }

// Unwrap is the reason.
func (e *HiddenError) Unwrap() error { return e.Err }

// SeesAllJobs returns a *HiddenError if the token may not see the jobs of
// every namespace. Nomad silently leaves out of its lists what a token may not
// see. So the token is tried on a namespace that does not exist, which only a
// rule for all namespaces allows, and on each one that a rule of its policies
// names.
func (c *Client) SeesAllJobs(ctx context.Context) error {
	if err := c.tryNamespace(ctx, "*"); err != nil {
		return err
	}
	names, err := c.ruledNamespaces(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := c.tryNamespace(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// tryNamespace asks for jobs of a namespace that a rule for the pattern is
// about.
func (c *Client) tryNamespace(ctx context.Context, pattern string) error {
	name := strings.ReplaceAll(pattern, "*", "heron-"+strings.ToLower(rand.Text()))
	for _, try := range []struct {
		what  string
		needs right
		do    func(*api.QueryOptions) error
	}{
		{"list the jobs of any namespace", listJobs, func(q *api.QueryOptions) error {
			_, _, err := c.api.Jobs().List(q)
			return err
		}},
		{"read a job of any namespace", readJob, func(q *api.QueryOptions) error {
			_, _, err := c.api.Jobs().Info("heron-no-such-job", q)
			return err
		}},
	} {
		err := c.read(ctx, try.what, try.needs, func(q *api.QueryOptions) error {
			q.Namespace = name
			return try.do(q)
		})
		switch {
		case err == nil, errors.Is(err, ErrNotFound):
		case errors.Is(err, ErrDenied):
			return &HiddenError{Namespace: pattern, Err: errors.New("permission denied")}
		default:
			return err
		}
	}
	return nil
}

// ruledNamespaces are the namespaces, or patterns, that rules of the token
// single out: such a rule goes before the one for all.
func (c *Client) ruledNamespaces(ctx context.Context) ([]string, error) {
	const what = "read the rules of the token"
	var token *api.ACLToken
	err := c.read(ctx, what, "", func(q *api.QueryOptions) (err error) {
		token, _, err = c.api.ACLTokens().Self(q)
		return err
	})
	var refused *RejectedError
	switch {
	case errors.As(err, &refused) && strings.Contains(refused.Message, "ACL support disabled"):
		return nil, nil
	case err != nil:
		return nil, err
	case token.Type == "management":
		return nil, nil
	}
	policies := token.Policies
	for _, link := range token.Roles {
		err := c.read(ctx, what, "", func(q *api.QueryOptions) error {
			role, _, err := c.api.ACLRoles().Get(link.ID, q)
			if err == nil {
				for _, p := range role.Policies {
					policies = append(policies, p.Name)
				}
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	var names []string
	for _, name := range policies {
		var rules string
		err := c.read(ctx, what, "", func(q *api.QueryOptions) error {
			policy, _, err := c.api.ACLPolicies().Info(name, q)
			if err == nil {
				rules = policy.Rules
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		found, ok := ruledIn(rules)
		if !ok {
			return nil, &HiddenError{Namespace: "*", Err: fmt.Errorf("the rules of policy %q are not understood", name)}
		}
		names = append(names, found...)
	}
	return names, nil
}

// EachJob calls f for every job of every namespace that the token may see, of
// whatever type and status, stopped ones too; see SeesAllJobs. Jobs are read a
// few at a time; f is called by one goroutine at once. Jobs that vanish
// while they are read are left out.
func (c *Client) EachJob(ctx context.Context, f func(*api.Job) error) error {
	var stubs []*api.JobListStub
	err := c.read(ctx, "list the jobs of all namespaces", listJobs, func(q *api.QueryOptions) (err error) {
		q.Namespace = api.AllNamespacesNamespace
		stubs, _, err = c.api.Jobs().List(q)
		return err
	})
	if err != nil {
		return err
	}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	var mu sync.Mutex
	for _, stub := range stubs {
		group.Go(func() error {
			namespace := cmp.Or(stub.Namespace, api.DefaultNamespace)
			var job *api.Job
			err := c.read(inner, fmt.Sprintf("read job %q of namespace %q", stub.ID, namespace), readJob, func(q *api.QueryOptions) (err error) {
				q.Namespace = namespace
				job, _, err = c.api.Jobs().Info(stub.ID, q)
				return err
			})
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			return f(job)
		})
	}
	return group.Wait()
}
