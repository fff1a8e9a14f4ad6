package conf

import (
	"path/filepath"
	"slices"
	"time"
)

// Upload says where packages go and how they get there.
type Upload struct {
	// Kind is "localfs", "http", "s3" or "scp"; the field of that name holds.
	Kind string
	// LocalDir is the folder of kind localfs, an absolute path.
	LocalDir string
	HTTP     HTTPUpload
	S3       S3Upload
	SCP      SCPUpload

	// Retries is how often an upload that was cut off is tried again.
	Retries int
	// RateLimit bounds what is sent in a second, in bytes; 0 does not.
	RateLimit int64
	// StallTimeout is how long an upload may go without sending anything.
	StallTimeout time.Duration
}

const (
	keyLocalFSDir     = "heron.uploader.localfs.file.system.directory"
	keyUploadRetries  = "heron.uploader.retry.count"
	keyUploadRate     = "heron.uploader.rate.limit"
	keyUploadStall    = "heron.uploader.stall.timeout"
	keyGCSCredentials = "heron.uploader.gcs.credentials_path" //nolint:gosec // a key's name
	defaultUploadTry  = 4
	defaultUploadWait = time.Minute
)

// unsupportedUploadKeys belong to uploaders that the original has.
var unsupportedUploadKeys = [...]string{
	"heron.uploader.dlog.topologies.namespace.uri",
	"heron.uploader.dlog.topologies.num.replicas",
	"heron.uploader.gcs.bucket",
	keyGCSCredentials,
	"heron.uploader.hdfs.config.directory",
	"heron.uploader.hdfs.topologies.directory.uri",
}

// uploadKeys are all keys of uploaders.
func uploadKeys() []string {
	return slices.Concat(
		[]string{keyLocalFSDir, keyUploadRetries, keyUploadRate, keyUploadStall},
		unsupportedUploadKeys[:], httpUploadKeys[:], s3UploadKeys[:], scpUploadKeys[:],
	)
}

func (r *reader) upload() Upload {
	u := Upload{
		Kind:         r.choose("heron.class.uploader", uploaders).short,
		Retries:      take(r, defaultUploadTry)(r.Int(keyUploadRetries)),
		RateLimit:    take(r, int64(0))(r.Bytes(keyUploadRate)),
		StallTimeout: r.span(keyUploadStall, time.Second, defaultUploadWait),
	}
	if u.Retries < 0 {
		r.wrong(keyUploadRetries, "must not be negative", "0 tries once")
	}
	if u.RateLimit < 0 {
		r.wrong(keyUploadRate, "must not be negative", "0 is no limit")
	}
	switch u.Kind {
	case "localfs":
		u.LocalDir = r.localUpload()
	case "http":
		u.HTTP = r.httpUpload()
	case "s3":
		u.S3 = r.s3Upload()
	case "scp":
		u.SCP = r.scpUpload()
	}
	return u
}

func (r *reader) localUpload() string {
	dir := r.place(keyLocalFSDir, filepath.Join(r.userHome, ".herondata", "repository"))
	if !filepath.IsAbs(dir) {
		r.wrong(keyLocalFSDir, dir+" is not an absolute path", "begin it with / or ${HOME}/")
	}
	return dir
}

// uploadSecret reads a secret from a variable, a file or, in the cluster's
// files alone, a key; in this order.
func (r *reader) uploadSecret(variable, keyFile, key string) Secret {
	file, text := r.absolute(keyFile), r.secretText(key)
	if file != "" && text != "" {
		r.wrong(keyFile, key+" is set too", "leave one of them out")
	}
	if v := r.getenv(variable); v != "" {
		return Secret(v)
	}
	if file == "" {
		return Secret(text)
	}
	return r.secretFrom(file, r.source(keyFile), "the secret")
}
