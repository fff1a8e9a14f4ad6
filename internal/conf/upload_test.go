package conf

import (
	"strings"
	"testing"
	"time"
)

func TestUploadersThatAreNotThere(t *testing.T) {
	for value, want := range map[string]string{
		"hdfs": "hdfs is not supported by this version",
		"gcs":  "gcs is not supported by this version",
		"dlog": "dlog is not supported by this version",
		"org.apache.heron.uploader.hdfs.HdfsUploader": "HdfsUploader is not supported by this version",
		"org.apache.heron.uploader.gcs.GcsUploader":   "GcsUploader is not supported by this version",
		"org.apache.heron.uploader.dlog.DLUploader":   "DLUploader is not supported by this version",
		"org.apache.heron.uploader.NullUploader":      "unknown class org.apache.heron.uploader.NullUploader",
	} {
		_, err := resolved(t, with(map[string]string{"uploader.yaml": "heron.class.uploader: " + value + "\n"})).Settings()
		wantError(t, value, err)
		if err == nil {
			continue
		}
		for _, part := range []string{
			"uploader.yaml:1: heron.class.uploader", want, "use localfs (org.apache.heron.uploader.localfs.LocalFileSystemUploader)",
			"or http (org.apache.heron.uploader.http.HttpUploader)", "or s3 (org.apache.heron.uploader.s3.S3Uploader)",
			"or scp (org.apache.heron.uploader.scp.ScpUploader)",
		} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v, want %q in it", value, err, part)
			}
		}
	}
}

func TestWhatUploadersShare(t *testing.T) {
	s, err := resolved(t, with(nil)).Settings()
	if err != nil {
		t.Fatal(err)
	}
	if u := s.Upload; u.Kind != "localfs" || u.Retries != 4 || u.RateLimit != 0 || u.StallTimeout != time.Minute {
		t.Errorf("by default it is %+v", u)
	}
	s, err = resolved(t, with(nil),
		"heron.class.uploader=org.apache.heron.uploader.localfs.LocalFileSystemUploader",
		"heron.uploader.retry.count=0", "heron.uploader.rate.limit=2MB", "heron.uploader.stall.timeout=90",
		// Keys of others do no harm.
		"heron.uploader.hdfs.config.directory=/etc/hadoop", "heron.uploader.gcs.bucket=b", "heron.uploader.dlog.topologies.num.replicas=3",
	).Settings()
	if err != nil {
		t.Fatal(err)
	}
	if u := s.Upload; u.Kind != "localfs" || u.Retries != 0 || u.RateLimit != 2<<20 || u.StallTimeout != 90*time.Second {
		t.Errorf("it is %+v", u)
	}
	for line, want := range map[string]string{
		"heron.uploader.retry.count=-1":     "must not be negative",
		"heron.uploader.retry.count=often":  "not a whole number",
		"heron.uploader.rate.limit=-1":      "must not be negative",
		"heron.uploader.rate.limit=1MB/s":   "not a size",
		"heron.uploader.stall.timeout=0":    "must be above zero",
		"heron.uploader.stall.timeout=soon": "use a number of seconds or a unit",
	} {
		_, err := resolved(t, with(nil), line).Settings()
		wantError(t, line, err)
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", line, err, want)
		}
	}
}
