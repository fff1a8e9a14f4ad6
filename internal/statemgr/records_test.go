package statemgr

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSubmissionWithoutMessage(t *testing.T) {
	s := Submission{Topology: "t", Definition: []byte("d"), ExecutionState: []byte("e"), SchedulerLocation: []byte("l")}
	var invalid *InvalidError
	if _, err := s.Ops(Layout{Root: "/heron"}); !errors.As(err, &invalid) || !strings.Contains(err.Error(), "packingplans") {
		t.Errorf("a submission without packing plan: %v", err)
	}
}

func TestDeploymentRecord(t *testing.T) {
	var r DeploymentRecord
	r.TopologyID, r.ClientVersion, r.SubmittedBy, r.ConfigDigest = "t-id", "1.0", "alice", "abc"
	r.Nomad.Address, r.Nomad.Region, r.Nomad.Namespace, r.Nomad.JobID, r.Nomad.JobVersion = "http://n:4646", "eu", "prod", "heron.c.t", 7
	r.Package.Uploader, r.Package.URI, r.Package.SHA256, r.Package.Size = "localfs", "file:///p", "ff", 1<<40
	r.SubmittedAt = time.Date(2024, 5, 6, 9, 8, 9, 123, time.FixedZone("", 7200))
	data, err := r.Encode()
	must(t, err)
	want := `{"version":1,"topology_id":"t-id","nomad":{"address":"http://n:4646","region":"eu","namespace":"prod",` +
		`"job_id":"heron.c.t","job_version":7},"package":{"uploader":"localfs","uri":"file:///p","sha256":"ff",` +
		`"size":1099511627776},"client_version":"1.0","submitted_by":"alice","submitted_at":"2024-05-06T07:08:09Z","config_digest":"abc"}`
	if string(data) != want {
		t.Errorf("encoded\n%s\nwant\n%s", data, want)
	}
	back, err := DecodeDeployment(bytes.Replace(data, []byte(`{"version"`), []byte(`{"later":[1],"version"`), 1))
	must(t, err)
	r.Version, r.SubmittedAt = 1, time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	if back != r {
		t.Errorf("decoded %+v, want %+v", back, r)
	}
	for _, bad := range []string{"", "{}", "garbage", `{"version":2}`} {
		if _, err := DecodeDeployment([]byte(bad)); err == nil {
			t.Errorf("%q was decoded", bad)
		}
	}
}

// earlierIntent is what a submission wrote before other operations left
// intents; earlier programs read and write exactly this.
const earlierIntent = `{"version":1,"operation":"submit","step":"state","topology_id":"t-id","request":"d","cluster":"c","role":"r","environ":"e",` +
	`"package":{"uploader":"s3","name":"n","uri":"s3://b/n","sha256":"ff","size":7},` +
	`"nomad":{"address":"http://n:4646","region":"eu","namespace":"prod","job_id":"j"},"submitted_at":"2023-11-14T22:13:20Z",` +
	`"owner":{"token":"0123456789abcdef","doing":"submit","user":"ann","host":"h","pid":7,"since":"2023-11-14T22:13:20Z"}}`

func TestIntentOfAnEarlierSubmission(t *testing.T) {
	i, err := DecodeIntent([]byte(earlierIntent))
	must(t, err)
	if i.Step != "state" || i.Package.Size != 7 || i.Nomad.JobID != "j" || i.Owner.PID != 7 || i.SubmittedAt.Unix() != 1_700_000_000 {
		t.Errorf("decoded %+v", i)
	}
	again, err := i.Encode()
	must(t, err)
	if string(again) != earlierIntent {
		t.Errorf("encoded\n%s\nwant\n%s", again, earlierIntent)
	}
}

func TestIntentOfEveryOperation(t *testing.T) {
	owner := NewOwner("restart", "ann", time.Now())
	for _, operation := range Operations() {
		in := Intent{Operation: operation, Step: "stop", Steps: []string{"look", "stop", "start"}, TopologyID: "t1", Owner: owner}
		data, err := in.Encode()
		must(t, err)
		for _, absent := range []string{"package", "submitted_at"} {
			if bytes.Contains(data, []byte(absent)) {
				t.Errorf("%s: %s has %s", operation, data, absent)
			}
		}
		out, err := DecodeIntent(data)
		must(t, err)
		again, err := out.Encode()
		must(t, err)
		if string(again) != string(data) || out.Owner != owner || out.Step != "stop" || len(out.Steps) != 3 {
			t.Errorf("%s became %s", data, again)
		}
	}
	if _, err := (Intent{Operation: "dance", Owner: owner}).Encode(); err == nil {
		t.Error("an unknown operation was encoded")
	}
}

func TestIntentThatIsUnknown(t *testing.T) {
	for _, bad := range []string{
		"", "{}", `{"version":1}`, strings.Replace(earlierIntent, `"version":1`, `"version":2`, 1),
		strings.Replace(earlierIntent, `"operation":"submit"`, `"operation":"dance"`, 1),
		strings.Replace(earlierIntent, "0123456789abcdef", "x", 1),
	} {
		if _, err := DecodeIntent([]byte(bad)); err == nil {
			t.Errorf("%.60q was decoded", bad)
		}
	}
}
