package conf

import "time"

// S3Upload is a bucket of S3 or of a server that speaks its protocol.
type S3Upload struct {
	Bucket string
	// Prefix goes before the names of packages; no slash at either end.
	Prefix string
	// AccessKey and SecretKey are both set or neither; without them, and
	// without Profile, credentials come from where AWS's own tools find them.
	AccessKey Secret `json:"-"`
	SecretKey Secret `json:"-"`
	Profile   string
	Region    string
	// Endpoint is another server than AWS's.
	Endpoint string
	// Proxy is a URL, perhaps with a password.
	Proxy Secret `json:"-"`
	// PathStyle puts the bucket into the path rather than the host name.
	PathStyle bool
	// PartSize is in bytes; Concurrency is how many parts are sent at a time.
	PartSize     int64
	Concurrency  int
	StorageClass string
	// Encryption is "", "AES256" or "aws:kms", KMSKey the id of its key.
	Encryption, KMSKey string
	// Fetch is how nodes get packages: "s3" with their own credentials,
	// "public" without any, "presigned" by a URL that expires.
	Fetch         string
	PresignExpiry time.Duration
}

const (
	keyS3Bucket       = "heron.uploader.s3.bucket"
	keyS3Prefix       = "heron.uploader.s3.path_prefix"
	keyS3AccessKey    = "heron.uploader.s3.access_key" //nolint:gosec // a key's name
	keyS3SecretKey    = "heron.uploader.s3.secret_key" //nolint:gosec // a key's name
	keyS3Profile      = "heron.uploader.s3.aws_profile"
	keyS3Region       = "heron.uploader.s3.region"
	keyS3URI          = "heron.uploader.s3.uri"
	keyS3Proxy        = "heron.uploader.s3.proxy_uri"
	keyS3PathStyle    = "heron.uploader.s3.path.style"
	keyS3PartSize     = "heron.uploader.s3.part.size"
	keyS3Concurrency  = "heron.uploader.s3.concurrency"
	keyS3StorageClass = "heron.uploader.s3.storage.class"
	keyS3Encryption   = "heron.uploader.s3.encryption"
	keyS3KMSKey       = "heron.uploader.s3.encryption.kms.id"
	keyS3Fetch        = "heron.uploader.s3.fetch"
	keyS3Expiry       = "heron.uploader.s3.presigned.expiry"
)

var s3UploadKeys = [...]string{
	keyS3Bucket, keyS3Prefix, keyS3AccessKey, keyS3SecretKey, keyS3Profile, keyS3Region, keyS3URI, keyS3Proxy,
	keyS3PathStyle, keyS3PartSize, keyS3Concurrency, keyS3StorageClass, keyS3Encryption, keyS3KMSKey, keyS3Fetch, keyS3Expiry,
}

func (r *reader) s3Upload() S3Upload {
	return S3Upload{
		Bucket:        r.text(keyS3Bucket, ""),
		Prefix:        r.place(keyS3Prefix, ""),
		AccessKey:     Secret(r.secretText(keyS3AccessKey)),
		SecretKey:     Secret(r.secretText(keyS3SecretKey)),
		Profile:       r.text(keyS3Profile, ""),
		Region:        r.text(keyS3Region, ""),
		Endpoint:      r.place(keyS3URI, ""),
		Proxy:         Secret(r.rawText(keyS3Proxy)),
		PathStyle:     r.flag(keyS3PathStyle, r.text(keyS3URI, "") != ""),
		PartSize:      take(r, int64(16<<20))(r.Bytes(keyS3PartSize)),
		Concurrency:   r.positive(keyS3Concurrency, 4),
		StorageClass:  r.text(keyS3StorageClass, ""),
		Encryption:    r.text(keyS3Encryption, ""),
		KMSKey:        r.text(keyS3KMSKey, ""),
		Fetch:         r.oneOf(keyS3Fetch, "s3", "s3", "public", "presigned"),
		PresignExpiry: r.span(keyS3Expiry, time.Second, 7*24*time.Hour),
	}
}
