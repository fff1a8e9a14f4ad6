package s3

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"sync"
	"testing"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/uploader/uploadertest"
)

// kind is how an upload was begun.
type kind struct{ class, encryption, key, checksum string }

// kinds is a proxy before an S3 server that tells what AWS tells of uploads,
// and the server does not: how they are encrypted, in answers to their begin and
// to parts; storage class and checksums in lists.
type kinds struct {
	URL string
	// silent: it does not tell of encryption.
	silent bool
	// usual is what the bucket does where the request asks for nothing.
	usual kind

	mu        sync.Mutex
	begun     map[string]kind
	completed []kind
	sent      int64
}

var (
	uploadID = regexp.MustCompile(`<UploadId>([^<]+)</UploadId>`)
	told     = regexp.MustCompile(`<(StorageClass|ChecksumAlgorithm|ChecksumType)>[^<]*</(StorageClass|ChecksumAlgorithm|ChecksumType)>`)
)

func newKinds(t *testing.T, server *testenv.S3Server) *kinds {
	t.Helper()
	target, err := url.Parse(server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	k := &kinds{begun: map[string]kind{}}
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.Out.Host = p.In.Host
		},
		ModifyResponse: k.tell,
	})
	t.Cleanup(front.Close)
	k.URL = front.URL
	return k
}

func (k *kinds) tell(resp *http.Response) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	r, query := resp.Request, resp.Request.URL.Query()
	if resp.StatusCode >= 300 {
		return nil
	}
	encrypted := func(of kind) {
		if k.silent || of.encryption == "" {
			return
		}
		resp.Header.Set("X-Amz-Server-Side-Encryption", of.encryption)
		if of.key != "" {
			resp.Header.Set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", "arn:"+of.key)
		}
	}
	switch {
	case r.Method == http.MethodPost && query.Has("uploads"):
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		resp.Body = io.NopCloser(bytes.NewReader(text))
		of := kind{
			r.Header.Get("X-Amz-Storage-Class"), r.Header.Get("X-Amz-Server-Side-Encryption"),
			r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"), r.Header.Get("X-Amz-Checksum-Algorithm"),
		}
		if of.class == "" {
			of.class = "STANDARD"
		}
		if of.encryption == "" {
			of.encryption, of.key = k.usual.encryption, k.usual.key
		}
		if m := uploadID.FindSubmatch(text); m != nil {
			k.begun[string(m[1])] = of
		}
		encrypted(of)
	case r.Method == http.MethodPut && query.Has("partNumber"):
		k.sent += r.ContentLength
		encrypted(k.begun[query.Get("uploadId")])
	case r.Method == http.MethodPost && query.Has("uploadId"):
		k.completed = append(k.completed, k.begun[query.Get("uploadId")])
	case r.Method == http.MethodGet && query.Has("uploads"):
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		text = uploadID.ReplaceAllFunc(told.ReplaceAll(text, nil), func(id []byte) []byte {
			of := k.begun[string(uploadID.FindSubmatch(id)[1])]
			return fmt.Appendf(bytes.Clone(id), "<StorageClass>%s</StorageClass><ChecksumAlgorithm>%s</ChecksumAlgorithm>", of.class, of.checksum)
		})
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
		resp.Header.Set("Content-Length", fmt.Sprint(len(text)))
	}
	return nil
}

// An upload is continued only if it was begun as it would be now, whatever made
// it so: settings, variables, or a default of the bucket.
func TestOnlyTheSameUploadIsContinued(t *testing.T) {
	withoutAWS(t)
	server := testenv.S3(t, testenv.S3Options{})
	type setting func(*conf.S3Upload, *kinds, *testing.T)
	class := func(c string) setting { return func(s *conf.S3Upload, _ *kinds, _ *testing.T) { s.StorageClass = c } }
	encryption := func(e, key string) setting {
		return func(s *conf.S3Upload, _ *kinds, _ *testing.T) { s.Encryption, s.KMSKey = e, key }
	}
	bucket := func(e, key string) setting {
		return func(_ *conf.S3Upload, k *kinds, _ *testing.T) { k.usual = kind{encryption: e, key: key} }
	}
	checksums := func(mode string) setting {
		return func(_ *conf.S3Upload, _ *kinds, t *testing.T) { t.Setenv("AWS_REQUEST_CHECKSUM_CALCULATION", mode) }
	}
	size := func(n int64) setting { return func(s *conf.S3Upload, _ *kinds, _ *testing.T) { s.PartSize = n } }
	none := func(*conf.S3Upload, *kinds, *testing.T) {}
	for name, c := range map[string]struct {
		then, now setting
		same      bool
	}{
		"nothing":                        {none, none, true},
		"the same class":                 {class("STANDARD_IA"), class("STANDARD_IA"), true},
		"the class that is the default":  {class("STANDARD"), none, true},
		"another class":                  {class("STANDARD_IA"), class("GLACIER_IR"), false},
		"no class any more":              {class("STANDARD_IA"), none, false},
		"a class by now":                 {none, class("STANDARD_IA"), false},
		"the same encryption":            {encryption("AES256", ""), encryption("AES256", ""), true},
		"no encryption any more":         {encryption("AES256", ""), none, false},
		"encryption by now":              {none, encryption("aws:kms", ""), false},
		"another encryption":             {encryption("AES256", ""), encryption("aws:kms", ""), false},
		"the same key":                   {encryption("aws:kms", "k1"), encryption("aws:kms", "k1"), true},
		"another key":                    {encryption("aws:kms", "k1"), encryption("aws:kms", "k2"), false},
		"a key by now":                   {encryption("aws:kms", ""), encryption("aws:kms", "k1"), false},
		"the same default of the bucket": {bucket("AES256", ""), bucket("AES256", ""), true},
		"another default of the bucket":  {bucket("AES256", ""), bucket("aws:kms", "k1"), false},
		"asked for what is the default":  {bucket("AES256", ""), encryption("AES256", ""), true},
		"the same lack of checksums":     {checksums("when_required"), checksums("when_required"), true},
		"no checksums any more":          {none, checksums("when_required"), false},
		"checksums by now":               {checksums("when_required"), checksums(""), false},
		"other parts":                    {none, size(6 << 20), false},
	} {
		t.Run(name, func(t *testing.T) {
			b, k := newS3Bucket(t, server), newKinds(t, server)
			src, data := uploadertest.Source(uploadertest.Folder, 3*conf.MinS3Part-1)
			then, now := b.settings(), b.settings()
			then.Endpoint, now.Endpoint = k.URL, k.URL
			c.then(&then, k, t)
			b.leavePartWith(t, then, src)
			c.now(&now, k, t)
			k.sent = 0
			if _, err := newS3(t, now).Upload(t.Context(), src); err != nil {
				t.Fatal(err)
			}
			want := src.Size
			if c.same {
				want -= conf.MinS3Part
			}
			// The part that is missing is tried on the other one first.
			most := want
			if !c.same {
				most += conf.MinS3Part
			}
			if k.sent < want || k.sent > most {
				t.Errorf("%d bytes were sent, want %d to %d", k.sent, want, most)
			}
			uploadertest.MustFetch(t, b, newS3(t, b.settings()).Locate(src.Name), data)
			if names := b.List(t); len(names) != 1 {
				t.Errorf("there is %q", names)
			}
			// What has become visible was begun as it would be begun anew.
			fresh, _ := uploadertest.Source("fresh", 10)
			if _, err := newS3(t, now).Upload(t.Context(), fresh); err != nil {
				t.Fatal(err)
			}
			if len(k.completed) != 2 || k.completed[0] != k.completed[1] {
				t.Errorf("uploads as %+v, want them alike", k.completed)
			}
		})
	}
}

// A server that says nothing of encryption may not encrypt: then an upload that
// is to be encrypted begins anew.
func TestEncryptionThatIsNotToldIsNotTrusted(t *testing.T) {
	withoutAWS(t)
	server := testenv.S3(t, testenv.S3Options{})
	b, k := newS3Bucket(t, server), newKinds(t, server)
	k.silent = true
	src, _ := uploadertest.Source(uploadertest.Folder, 3*conf.MinS3Part-1)
	plain, set := b.settings(), b.settings()
	plain.Endpoint, set.Endpoint = k.URL, k.URL
	set.Encryption = "AES256"
	b.leavePartWith(t, plain, src)
	if _, err := newS3(t, set).Upload(t.Context(), src); err != nil {
		t.Fatal(err)
	}
	if len(k.completed) != 1 || k.completed[0].encryption != "AES256" {
		t.Errorf("uploads as %+v", k.completed)
	}
}

// Where all parts are there, the last one is sent again: nothing else says how
// they are encrypted.
func TestAnUploadThatHasAllPartsIsContinued(t *testing.T) {
	withoutAWS(t)
	server := testenv.S3(t, testenv.S3Options{})
	for _, encryption := range []string{"", "aws:kms"} {
		b, k := newS3Bucket(t, server), newKinds(t, server)
		src, data := uploadertest.Source(uploadertest.Folder, conf.MinS3Part)
		then, now := b.settings(), b.settings()
		then.Endpoint, now.Endpoint = k.URL, k.URL
		now.Encryption = encryption
		b.leavePartWith(t, then, src)
		k.sent = 0
		if _, err := newS3(t, now).Upload(t.Context(), src); err != nil {
			t.Fatal(err)
		}
		times := int64(1)
		if encryption != "" {
			times = 2
		}
		if k.sent != times*conf.MinS3Part || len(k.completed) != 1 || k.completed[0].encryption != encryption {
			t.Errorf("%q: %d bytes were sent for %+v", encryption, k.sent, k.completed)
		}
		uploadertest.MustFetch(t, b, newS3(t, b.settings()).Locate(src.Name), data)
	}
}
