package conf

import (
	"net/url"
	"strings"
	"time"
)

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
	// Proxy is a URL, perhaps with a password, which is escaped in it.
	Proxy Secret `json:"-"`
	// PathStyle puts the bucket into the path rather than the host name.
	PathStyle bool
	// PartSize is in bytes, 0 for one that goes by the package; Concurrency is
	// how many parts are sent at a time.
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

// Limits of S3 itself: the size of a part but the last in bytes, and the time
// that a presigned URL may hold.
const (
	MinS3Part      = 5 << 20
	MaxS3Part      = 5 << 30
	maxS3Presigned = 7 * 24 * time.Hour
)

// defaultS3Concurrency is how many parts are sent at a time. An upload that is
// killed has at most so many half sent, which are sent again when it is resumed.
const defaultS3Concurrency = 2

func (r *reader) s3Upload() S3Upload {
	u := S3Upload{
		Bucket:        r.text(keyS3Bucket, ""),
		Prefix:        strings.Trim(r.place(keyS3Prefix, ""), "/"),
		AccessKey:     r.s3Secret(keyS3AccessKey),
		SecretKey:     r.s3Secret(keyS3SecretKey),
		Profile:       r.text(keyS3Profile, ""),
		Region:        r.text(keyS3Region, ""),
		Endpoint:      strings.TrimRight(r.place(keyS3URI, ""), "/"),
		Proxy:         r.s3Proxy(),
		PathStyle:     r.flag(keyS3PathStyle, r.text(keyS3URI, "") != ""),
		PartSize:      take(r, int64(0))(r.Bytes(keyS3PartSize)),
		Concurrency:   r.positive(keyS3Concurrency, defaultS3Concurrency),
		StorageClass:  r.text(keyS3StorageClass, ""),
		Encryption:    r.text(keyS3Encryption, ""),
		KMSKey:        r.text(keyS3KMSKey, ""),
		Fetch:         r.oneOf(keyS3Fetch, "s3", "s3", "public", "presigned"),
		PresignExpiry: r.span(keyS3Expiry, time.Second, maxS3Presigned),
	}
	r.checkS3(u)
	return u
}

// s3Secret is a key that stands in a file of the cluster.
func (r *reader) s3Secret(key string) Secret {
	s := r.rawText(key)
	if e := r.values[key]; s != "" && e.source.fromCaller() {
		r.wrong(key, "is a secret, and others could read it there",
			"put it into uploader.yaml, or use AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "+keyS3Profile)
	}
	return Secret(s)
}

// s3Proxy is the proxy on the way to S3. Its value is never shown.
func (r *reader) s3Proxy() Secret {
	text := strings.TrimSpace(r.rawText(keyS3Proxy))
	if text == "" {
		return ""
	}
	if r.values[keyS3Proxy].source.fromCaller() && strings.Contains(text, "@") {
		r.wrong(keyS3Proxy, "holds a password, and others could read it there", "put it into uploader.yaml")
	}
	address, ok := proxyURL(text)
	if !ok {
		r.wrong(keyS3Proxy, "is not the address of a proxy",
			"write host:port or user:password@host:port, with http://, https:// or socks5:// before it or not; the port is 1 to 65535, and no path follows")
	}
	return Secret(address)
}

func (r *reader) checkS3(u S3Upload) {
	if u.Bucket == "" {
		r.wrong(keyS3Bucket, "missing", "set it to the name of the bucket for packages")
	}
	switch {
	case u.AccessKey == "" && u.SecretKey != "":
		r.wrong(keyS3SecretKey, "is set without "+keyS3AccessKey, "set both or neither")
	case u.AccessKey != "" && u.SecretKey == "":
		r.wrong(keyS3AccessKey, "is set without "+keyS3SecretKey, "set both or neither")
	case u.AccessKey != "" && u.Profile != "":
		r.wrong(keyS3Profile, "and "+keyS3AccessKey+" are both set", "use one of them")
	}
	if u.Endpoint != "" {
		e, err := url.Parse(u.Endpoint)
		if err != nil || e.Scheme != "http" && e.Scheme != "https" || e.Hostname() == "" || e.User != nil || e.RawQuery != "" || e.Fragment != "" || e.Path != "" {
			r.wrong(keyS3URI, "is not the address of a server", "write it as https://host:port, without a path, a user or a password")
		}
	}
	if u.PartSize != 0 && u.PartSize < MinS3Part || u.PartSize > MaxS3Part {
		r.wrong(keyS3PartSize, "is out of range", "use 5MiB to 5GiB")
	}
	switch u.Encryption {
	case "", "AES256", "aws:kms", "aws:kms:dsse":
	default:
		r.wrong(keyS3Encryption, "unknown value "+u.Encryption, "use AES256, aws:kms or aws:kms:dsse")
	}
	if u.KMSKey != "" && !strings.HasPrefix(u.Encryption, "aws:kms") {
		r.wrong(keyS3KMSKey, "is set, but the encryption is not by a KMS key", "set "+keyS3Encryption+": aws:kms")
	}
	if u.PresignExpiry < time.Second || u.PresignExpiry > maxS3Presigned {
		r.wrong(keyS3Expiry, "is out of range", "use 1s to 168h, which is 7 days")
	}
}
