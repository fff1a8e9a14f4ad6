package nomad

import (
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
)

const signedAddress = "https://b.s3.amazonaws.com/a/b.tar.gz?X-Amz-Date=1&X-Amz-Signature=sesame&x=y"

func TestSignaturesAreNotShown(t *testing.T) {
	const open = "https://b.s3.amazonaws.com/a/b.tar.gz"
	for text, want := range map[string]string{
		`failed to download "` + signedAddress + `": 403`: `failed to download "` + open + `?(hidden)": 403`,
		signedAddress: open + "?(hidden)",
		"https://h/p?sig=sesame and https://h/p?token=sesame": "https://h/p?(hidden) and https://h/p?(hidden)",
		"s3::http://h/b/k?region=eu-west-3":                   "s3::http://h/b/k?region=eu-west-3",
		"https://h/p?design=1":                                "https://h/p?design=1",
	} {
		if got := unsigned(text); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if got := eventText(&api.TaskEvent{DisplayMessage: "cannot fetch " + signedAddress}); strings.Contains(got, "sesame") {
		t.Errorf("an event is told as %s", got)
	}
	var f Forecast
	f.fields("", []*api.FieldDiff{{Type: diffEdited, Name: "GetterSource", Old: signedAddress, New: jobspec.PendingURI}})
	if len(f.Changes) != 1 || f.Changes[0].Old != open+"?(hidden)" || f.Changes[0].New != jobspec.PendingURI {
		t.Errorf("changes are %+v", f.Changes)
	}
}
