package nomad

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/testenv"
)

func TestWhoSeesAllJobs(t *testing.T) {
	n := testenv.RunSecureNomad(t)
	client := func(token string) *Client {
		t.Helper()
		c, err := NewClient(ClientOptions{
			Address: n.Addr, Token: token, RequestTimeout: 20 * time.Second,
			TLS: TLSOptions{CACert: n.Authority.CertFile, ClientCert: n.Client.CertFile, ClientKey: n.Client.KeyFile},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"team-a", "secret"} {
		_, err := n.API.Namespaces().Register(&api.Namespace{Name: name}, nil)
		do(err)
	}
	for namespace, id := range map[string]string{"default": "one", "team-a": "two", "secret": "three"} {
		job := api.NewBatchJob(id, id, "global", 50)
		job.Namespace, job.Datacenters = &namespace, []string{"nowhere"}
		job.AddTaskGroup(api.NewTaskGroup("g", 1).AddTask(api.NewTask("t", "raw_exec").SetConfig("command", "/bin/true")))
		_, _, err := n.API.Jobs().Register(job, &api.WriteOptions{Namespace: namespace})
		do(err)
	}
	const all = `namespace "*" { capabilities = ["list-jobs", "read-job"] }`
	for name, c := range map[string]struct {
		policies []string
		role     bool
		hidden   string
	}{
		"all":                               {policies: []string{all}},
		"all, by a role":                    {policies: []string{all}, role: true},
		"one namespace":                     {policies: []string{`namespace "default" { policy = "read" }`}, hidden: "*"},
		"list, but not read":                {policies: []string{`namespace "*" { capabilities = ["list-jobs"] }`}, hidden: "*"},
		"all but one":                       {policies: []string{all + "\n" + `namespace "secret" { policy = "deny" }`}, hidden: "secret"},
		"all but one, by another policy":    {policies: []string{all, `namespace "secret" { capabilities = ["read-fs"] }`}, hidden: "secret"},
		"all but one, by a role":            {policies: []string{all, `namespace "secret" { policy = "deny" }`}, role: true, hidden: "secret"},
		"all but a pattern":                 {policies: []string{all + "\n" + `namespace "team-*" { policy = "deny" }`}, hidden: "team-*"},
		"all, and one by a rule of its own": {policies: []string{all + "\n" + `namespace "secret" { policy = "read" }`}},
	} {
		t.Run(name, func(t *testing.T) {
			var names []string
			var links []*api.ACLRolePolicyLink
			for i, rules := range c.policies {
				name := fmt.Sprintf("p-%d-%s", i, rand.Text())
				_, err := n.API.ACLPolicies().Upsert(&api.ACLPolicy{Name: name, Rules: rules}, nil)
				do(err)
				names, links = append(names, name), append(links, &api.ACLRolePolicyLink{Name: name})
			}
			token := &api.ACLToken{Name: "t", Type: "client", Policies: names}
			if c.role {
				role, _, err := n.API.ACLRoles().Create(&api.ACLRole{Name: names[0], Policies: links}, nil)
				do(err)
				token.Policies, token.Roles = nil, []*api.ACLTokenRoleLink{{ID: role.ID}}
			}
			made, _, err := n.API.ACLTokens().Create(token, nil)
			do(err)
			err = client(made.SecretID).SeesAllJobs(t.Context())
			var hidden *HiddenError
			switch {
			case c.hidden == "" && err != nil:
				t.Error(err)
			case c.hidden != "" && (!errors.As(err, &hidden) || hidden.Namespace != c.hidden):
				t.Errorf("error %v, want one about %q", err, c.hidden)
			}
		})
	}
	if err := client("").SeesAllJobs(t.Context()); err == nil {
		t.Error("nobody sees everything")
	}
	if err := client("00000000-0000-0000-0000-000000000000").SeesAllJobs(t.Context()); err == nil {
		t.Error("a token that does not exist sees everything")
	}
	management := client(n.Token)
	do(management.SeesAllJobs(t.Context()))
	var mu sync.Mutex
	var ids []string
	do(management.EachJob(t.Context(), func(job *api.Job) error {
		mu.Lock()
		defer mu.Unlock()
		ids = append(ids, *job.Namespace+"/"+*job.ID)
		return nil
	}))
	slices.Sort(ids)
	if want := []string{"default/one", "secret/three", "team-a/two"}; !slices.Equal(ids, want) {
		t.Errorf("jobs: %v, want %v", ids, want)
	}
}

func TestWithoutAccessControlEverybodySeesAllJobs(t *testing.T) {
	c, err := NewClient(ClientOptions{Address: testenv.Nomad(t), RequestTimeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SeesAllJobs(t.Context()); err != nil {
		t.Error(err)
	}
	broken := errors.New("broken on purpose")
	if err := c.EachJob(t.Context(), func(*api.Job) error { return broken }); err != nil && !errors.Is(err, broken) {
		t.Error(err)
	}
}
