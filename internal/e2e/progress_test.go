package e2e

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestSubmitShowsHowFarTheUploadIs(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.properties["heron.uploader.rate.limit"] = "20KB"
	r := c.startSubmit()
	line := regexp.MustCompile(`(?m)^uploaded \d+\.\d KiB of \d+\.\d MiB \(\d+%\), \d+\.\d KiB/s, \d+:\d\d left$`)
	deadline := time.Now().Add(patience)
	for !line.MatchString(r.errOut.String()) {
		if time.Now().After(deadline) {
			t.Fatalf("it shows:\n%s", r.errOut.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
	// An upload that waits for its turn is interrupted as any other.
	r.interrupt(t)
	res := r.wait(t)
	c.want(res, 130, "interrupted while trying to upload", "nothing is left")
	c.nothingLeft()
	if strings.Contains(res.errOut, "\r") {
		t.Errorf("it draws where there is no terminal:\n%s", res.errOut)
	}
}
