package conf

import (
	"strings"
	"testing"
	"time"
)

func TestS3SettingsHaveDefaults(t *testing.T) {
	s, err := resolved(t, with(map[string]string{
		"uploader.yaml": "heron.class.uploader: s3\nheron.uploader.s3.bucket: packages\nheron.uploader.s3.path_prefix: /a/${ROLE}/\n",
	})).Settings()
	if err != nil {
		t.Fatal(err)
	}
	want := S3Upload{Bucket: "packages", Prefix: "a/ads", Concurrency: 2, Fetch: "s3", PresignExpiry: 7 * 24 * time.Hour}
	if s.Upload.S3 != want {
		t.Errorf("got %+v, want %+v", s.Upload.S3, want)
	}
	for prefix, want := range map[string]string{"/": "", "a/b": "a/b", "/a/b": "a/b", "a/": "a"} {
		s, err := resolved(t, with(map[string]string{
			"uploader.yaml": "heron.class.uploader: s3\nheron.uploader.s3.bucket: b\nheron.uploader.s3.uri: http://h:9000/\nheron.uploader.s3.path_prefix: " + prefix + "\n",
		})).Settings()
		if err != nil || s.Upload.S3.Prefix != want || !s.Upload.S3.PathStyle || s.Upload.S3.Endpoint != "http://h:9000" {
			t.Errorf("%s: %+v, %v", prefix, s.Upload.S3, err)
		}
	}
}

func TestS3SettingsRefuse(t *testing.T) {
	for lines, want := range map[string]string{
		"heron.uploader.s3.bucket: ''":         "bucket: missing",
		"heron.uploader.s3.access_key: hidden": "set both or neither",
		"heron.uploader.s3.secret_key: hidden": "set both or neither",
		"heron.uploader.s3.access_key: hidden\nheron.uploader.s3.secret_key: hidden\nheron.uploader.s3.aws_profile: p": "use one of them",
		"heron.uploader.s3.uri: h:9000":                                                "write it as https://host:port",
		"heron.uploader.s3.uri: http://u:hidden@h:9000":                                "without a path, a user or a password",
		"heron.uploader.s3.uri: http://h/path":                                         "write it as https://host:port",
		"heron.uploader.s3.part.size: 1MiB":                                            "use 5MiB to 5GiB",
		"heron.uploader.s3.part.size: 6GiB":                                            "use 5MiB to 5GiB",
		"heron.uploader.s3.concurrency: 0":                                             "must be above zero",
		"heron.uploader.s3.encryption: rot13":                                          "use AES256, aws:kms or aws:kms:dsse",
		"heron.uploader.s3.encryption.kms.id: k":                                       "set heron.uploader.s3.encryption: aws:kms",
		"heron.uploader.s3.encryption: AES256\nheron.uploader.s3.encryption.kms.id: k": "set heron.uploader.s3.encryption: aws:kms",
		"heron.uploader.s3.fetch: ftp":                                                 "use s3 or public or presigned",
		"heron.uploader.s3.presigned.expiry: 8d":                                       "not a span of time",
		"heron.uploader.s3.presigned.expiry: 169h":                                     "use 1s to 168h",
		"heron.uploader.s3.presigned.expiry: 10ms":                                     "use 1s to 168h",
	} {
		_, err := resolved(t, with(map[string]string{
			"uploader.yaml": "heron.class.uploader: s3\nheron.uploader.s3.bucket: b\n",
			"override.yaml": lines + "\n",
		})).Settings()
		wantError(t, lines, err)
		if err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden")) {
			t.Errorf("%s: %v, want %q in it", lines, err, want)
		}
	}
	for _, property := range []string{"heron.uploader.s3.secret_key=hidden", "heron.uploader.s3.proxy_uri=u:hidden@h:1"} {
		_, err := resolved(t, with(map[string]string{"uploader.yaml": "heron.class.uploader: s3\nheron.uploader.s3.bucket: b\n"}), property).Settings()
		wantError(t, property, err)
		if err != nil && (!strings.Contains(err.Error(), "others could read it there") || strings.Contains(err.Error(), "hidden")) {
			t.Errorf("%s: %v", property, err)
		}
	}
}
