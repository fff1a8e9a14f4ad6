package jobspec

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/conf"
)

const password = "open sesame"

func TestDockerAuthIsSentAndNotShown(t *testing.T) {
	s := dockerSpec()
	s.Settings.Nomad.DockerAuth = &conf.DockerAuth{Username: "ann", Password: password, Server: "registry:5000"}
	job := mustBuild(t, s)
	shown, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(shown), fmt.Sprintf("%v %+v %#v", job, job.TaskGroups[0].Tasks[0].Config, s.Settings.Nomad.DockerAuth)} {
		if strings.Contains(text, password) {
			t.Errorf("the password is shown: %s", text)
		}
	}
	sent := Revealed(job).TaskGroups[0].Tasks[0].Config["auth"]
	want := []map[string]any{{"username": "ann", "password": password, "server_address": "registry:5000"}}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Errorf("auth (-want +sent):\n%s", diff)
	}
	if again, _ := json.Marshal(job); string(again) != string(shown) {
		t.Error("the job itself was changed")
	}
}

func TestDockerHasNoRightsByDefault(t *testing.T) {
	s := dockerSpec()
	for _, key := range []string{"auth", "privileged"} {
		if v, ok := mustBuild(t, s).TaskGroups[0].Tasks[0].Config[key]; ok {
			t.Errorf("%s is %v, want none", key, v)
		}
	}
	s.Settings.Nomad.DockerPrivileged = true
	if v := mustBuild(t, s).TaskGroups[0].Tasks[0].Config["privileged"]; v != true {
		t.Errorf("privileged is %v", v)
	}
}
