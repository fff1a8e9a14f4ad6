package jobspec

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/conf"
)

// asRead is a job as Nomad's servers give it back.
func asRead(t *testing.T, job *api.Job) *api.Job {
	t.Helper()
	data, err := json.Marshal(Revealed(job))
	if err != nil {
		t.Fatal(err)
	}
	back := &api.Job{}
	if err := json.Unmarshal(data, back); err != nil {
		t.Fatal(err)
	}
	back.Version, back.JobModifyIndex, back.Status, back.Stop = ptr(uint64(3)), ptr(uint64(99)), ptr("running"), ptr(true)
	return back
}

func TestRecordedJobHasNoSecretsAndComesBack(t *testing.T) {
	const signed = "https://bucket.example/wc.tar.gz?X-Amz-Signature=abc"
	s := dockerSpec()
	account := &conf.DockerAuth{Username: "ann", Password: password}
	s.Settings.Nomad.DockerAuth = account
	s.PackageURI, s.PackageFetch = "s3://bucket/wc.tar.gz", signed
	job := mustBuild(t, s)
	for name, given := range map[string]*api.Job{"made": job, "read": asRead(t, job)} {
		before, _ := json.Marshal(Revealed(given))
		data, err := Record(given)
		if err != nil {
			t.Fatal(err)
		}
		if text := string(data); strings.Contains(text, password) || strings.Contains(text, "Signature") || !strings.Contains(text, "s3://bucket/wc.tar.gz") {
			t.Errorf("%s: recorded as %s", name, text)
		}
		if after, _ := json.Marshal(Revealed(given)); string(after) != string(before) {
			t.Errorf("%s: the job itself was changed", name)
		}
		back, err := Restore(data, signed, account)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(asRead(t, job), asRead(t, back)); diff != "" {
			t.Errorf("%s (-made +restored):\n%s", name, diff)
		}
		if _, err := Restore(data, "", nil); err == nil || !strings.Contains(err.Error(), "heron.nomad.docker.auth.username") {
			t.Errorf("%s: restored without an account: %v", name, err)
		}
	}
}

func TestRecordedJobWithoutSecrets(t *testing.T) {
	job := mustBuild(t, someSpec())
	data, err := Record(job)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Restore(data, "", &conf.DockerAuth{Username: "ann", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(asRead(t, job), asRead(t, back)); diff != "" {
		t.Error(diff)
	}
	if _, err := Restore([]byte("garbage"), "", nil); err == nil {
		t.Error("garbage was restored")
	}
}
