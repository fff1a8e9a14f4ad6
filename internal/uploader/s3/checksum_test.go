package s3

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/uploader/uploadertest"
)

// requestsOf are those of a check, an upload in parts, an empty one, one that
// continues another, a list and a delete, by what they are.
func requestsOf(t *testing.T, b *s3Bucket, server *testenv.S3Server) map[string][]recorded {
	t.Helper()
	recorder := recordS3(t, server, nil)
	set := b.settings()
	set.Endpoint = recorder.URL
	u := newS3(t, set)
	src, data := uploadertest.Source(uploadertest.Folder, 2*conf.MinS3Part+1)
	empty, _ := uploadertest.Source(uploadertest.Folder, 0)
	cut, rest := uploadertest.Source("other", 2*conf.MinS3Part+2)
	b.LeavePart(t, cut)
	if err := u.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, checked := recorder.parts()
	n := len(checked)
	uploadertest.MustUpload(t, b, u, src, data)
	uploadertest.MustUpload(t, b, u, empty, nil)
	before, _ := recorder.parts()
	where := uploadertest.MustUpload(t, b, u, cut, rest)
	if after, _ := recorder.parts(); after-before > int64(len(rest))-conf.MinS3Part {
		t.Errorf("%d bytes were sent to continue an upload of which a part was there", after-before)
	}
	for _, err := range u.List(t.Context(), "other") {
		if err != nil {
			t.Error(err)
		}
	}
	if err := u.Delete(t.Context(), where.URI); err != nil {
		t.Error(err)
	}
	all := map[string][]recorded{}
	_, seen := recorder.parts()
	for i, r := range seen {
		kind := r.method
		switch {
		case r.method == http.MethodPost && strings.HasPrefix(r.query, "uploads"):
			kind = "create"
		case r.method == http.MethodPut && strings.Contains(r.query, "partNumber="):
			kind = "part"
		case r.method == http.MethodPut:
			kind = "put"
		}
		if i < n {
			kind = "check " + kind
		}
		all[kind] = append(all[kind], r)
	}
	return all
}

// names are the headers of S3 in a request.
func names(r recorded) (all []string) {
	for name := range r.header {
		if strings.HasPrefix(name, "X-Amz-") || strings.HasPrefix(name, "Content-") {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// A server that knows no checksums of S3 refuses requests with them.
func TestChecksumsCanBeTurnedOff(t *testing.T) {
	server := testenv.S3(t, testenv.S3Options{})
	for label, turn := range map[string]func(t *testing.T){
		"variable": func(t *testing.T) { t.Setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required") },
		"profile": func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config")
			if err := os.WriteFile(file, []byte("[profile plain]\nrequest_checksum_calculation = when_required\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("AWS_CONFIG_FILE", file)
			t.Setenv("AWS_PROFILE", "plain")
		},
	} {
		t.Run(label, func(t *testing.T) {
			withoutAWS(t)
			turn(t)
			for kind, requests := range requestsOf(t, newS3Bucket(t, server), server) {
				for _, r := range requests {
					for name, values := range r.header {
						text := strings.ToLower(name + ": " + strings.Join(values, ","))
						if strings.Contains(text, "checksum") || strings.Contains(text, "trailer") {
							t.Errorf("%s: %s", kind, text)
						}
					}
					if strings.Contains(strings.ToLower(r.query), "checksum") {
						t.Errorf("%s: %s", kind, r.query)
					}
					// The signature covers the part instead.
					if digest := r.header.Get("X-Amz-Content-Sha256"); strings.HasSuffix(kind, "part") && len(digest) != 64 {
						t.Errorf("%s: the digest is %q", kind, digest)
					}
				}
			}
		})
	}
}

func TestTheCheckSendsWhatAnUploadSends(t *testing.T) {
	server := testenv.S3(t, testenv.S3Options{})
	for _, mode := range []string{"", "when_supported", "when_required"} {
		withoutAWS(t)
		t.Setenv("AWS_REQUEST_CHECKSUM_CALCULATION", mode)
		all := requestsOf(t, newS3Bucket(t, server), server)
		for _, kind := range []string{"create", "part"} {
			if len(all[kind]) == 0 || len(all["check "+kind]) == 0 {
				t.Fatalf("%q: no %s: %v", mode, kind, all)
			}
			for _, r := range all[kind] {
				if got, want := names(all["check "+kind][0]), names(r); !slices.Equal(got, want) {
					t.Errorf("%q: to %s, the check sends %q, an upload %q", mode, kind, got, want)
				}
			}
		}
		if _, found := slices.BinarySearch(names(all["part"][0]), "X-Amz-Checksum-Crc32"); found != (mode != "when_required") {
			t.Errorf("%q: a part has the headers %q", mode, names(all["part"][0]))
		}
	}
}

// Nothing is downloaded, so what is asked of downloads changes nothing.
func TestChecksumsOfAnswersDoNotMatter(t *testing.T) {
	withoutAWS(t)
	t.Setenv("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_supported")
	server := testenv.S3(t, testenv.S3Options{})
	for kind, requests := range requestsOf(t, newS3Bucket(t, server), server) {
		for _, r := range requests {
			if mode := r.header.Get("X-Amz-Checksum-Mode"); mode != "" {
				t.Errorf("%s: the checksum mode is %s", kind, mode)
			}
		}
	}
}
