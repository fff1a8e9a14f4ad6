package nomad

import (
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
)

func TestEventsInPlainWords(t *testing.T) {
	for want, e := range map[string]*api.TaskEvent{
		"it ended and is started again after 5s":  {Type: api.TaskRestarting, DisplayMessage: "Task restarting in 5.348019413s", Details: map[string]string{"start_delay": "5348019413"}},
		"it ended and is started again after 1s":  {Type: api.TaskRestarting, StartDelay: 9000000},
		"it ended and is started again":           {Type: api.TaskRestarting},
		"exit code 1":                             {Type: api.TaskTerminated, DisplayMessage: "Exit Code: 1", Details: map[string]string{"exit_code": "1", "signal": "0"}},
		"exit code 3":                             {Type: api.TaskTerminated, ExitCode: 3},
		"it ran out of memory, signal 9 ended it": {Type: api.TaskTerminated, Details: map[string]string{"exit_code": "137", "signal": "9", "oom_killed": "true"}},
		"exit code 127, Docker container exited with non-zero exit code: 127": {Type: api.TaskTerminated, Details: map[string]string{"exit_code": "127", "exit_message": "Docker container exited with non-zero exit code: 127"}},
		"its node is downloading its files":                                   {Type: api.TaskDownloadingArtifacts, DisplayMessage: "Client is downloading artifacts"},
		"its node is making its folder":                                       {Type: api.TaskSetup, DisplayMessage: "Building Task Directory"},
		"its node has received it":                                            {Type: api.TaskReceived, DisplayMessage: "Task received by client"},
		"something new":                                                       {Type: "New", DisplayMessage: " something new\n"},
	} {
		if got := eventText(e); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// An older server does not say what is wrong with a file that it fetched.
func TestAFailedDownloadSaysWhatItMayMean(t *testing.T) {
	const newer = "failed to download artifact \"http://h/p\": getter subprocess failed: exit status 1: checksums did not match"
	for _, message := range []string{newer, strings.TrimSuffix(newer, ": checksums did not match")} {
		got := eventText(&api.TaskEvent{Type: api.TaskArtifactDownloadFailed, DisplayMessage: message})
		if !strings.HasPrefix(got, message) || !strings.Contains(got, "SHA-256") {
			t.Errorf("got %s", got)
		}
	}
}
