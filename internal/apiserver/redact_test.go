package apiserver

import (
	"net/url"
	"path"
	"strings"
	"testing"
)

// Names of packages and tokens are in no line of the log, wherever they came in
// and whatever became of the request.
func TestTheLogHasNoNamesOfPackagesAndNoTokens(t *testing.T) {
	b := newBench(t, func(o *Options) {
		o.Auth = tokens(t, "tokens:\n  - {name: ci, sha256: "+digest("sesame")+", verbs: [\"*\"], roles: [\"*\"]}\n")
	})
	const bearer = "Bearer sesame"
	contentType, body := form(part{"file", "words.tar.gz", "a package"})
	stored := b.send("POST", "/api/v1/file/upload", body, "Content-Type", contentType, "Authorization", bearer)
	b.want(stored, 200, "/api/v1/file/download/")
	name := path.Base(stored.body)
	b.want(b.send("GET", "/api/v1/file/download/"+name, nil), 200, "a package")
	b.want(b.send("POST", "/api/v1/file/download/"+name, nil), 405)
	b.want(b.send("GET", "/api/v1/file/"+name+"/x", nil), 404)
	b.want(b.send("DELETE", "/api/v1/file/"+name, nil, "Authorization", "Bearer swordfish"), 401)
	b.want(b.send("DELETE", "/api/v1/file/"+name+"?token=swordfish", nil, "Authorization", bearer), 204)
	b.send("DELETE", "/api/v1/file/download/"+name, nil, "Authorization", bearer)
	b.send("GET", "/api/v1/file/download/"+url.PathEscape("my package"), nil)
	log := b.log.String()
	for _, secret := range []string{name, "my package", "sesame", "swordfish"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %s:\n%s", secret, log)
		}
	}
	if n := strings.Count(log, "path=/api/v1/file/download/"+fileTag(name)+" status=200"); n != 1 {
		t.Errorf("%d lines tell of the download:\n%s", n, log)
	}
	if got := redacted("remove the package http://h:9000/api/v1/file/download/" + name + ": no answer"); strings.Contains(got, name) || !strings.HasSuffix(got, "}: no answer") {
		t.Error(got)
	}
}
