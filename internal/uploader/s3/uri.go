package s3

import (
	"net/url"
	"path"
	"strings"

	"github.com/heron-nomad/heron/internal/uploader"
)

// place says where objects are and how they are called. It is a value that
// takes no server to make.
//
// An object's URI is the one that Nomad's artifact (go-getter) fetches with
// the credentials of the node:
//
//	s3::https://BUCKET.s3.REGION.amazonaws.com/KEY
//	s3::https://s3-REGION.amazonaws.com/BUCKET/KEY     bucket with a dot
//	s3::http://HOST:PORT/BUCKET/KEY?region=REGION      other servers
//
// It stays the same however packages are fetched.
type place struct {
	bucket, prefix, region string
	// endpoint is nil for AWS.
	endpoint  *url.URL
	pathStyle bool
}

// key is the object of a name.
func (p place) key(name string) string { return path.Join(p.prefix, name) }

// name is the reverse; ok is false for what is not below the prefix.
func (p place) name(key string) (name string, ok bool) {
	name = key
	if p.prefix != "" {
		if name, ok = strings.CutPrefix(key, p.prefix+"/"); !ok {
			return "", false
		}
	}
	return name, uploader.CheckName(name) == nil
}

// aws tells whether go-getter takes the server for AWS's. It then uses the
// region and leaves the host to the SDK.
func (p place) aws() bool {
	return p.endpoint == nil || strings.HasSuffix(p.endpoint.Hostname(), ".amazonaws.com")
}

// china has a domain of its own, which go-getter does not know.
func (p place) china() bool { return strings.HasPrefix(p.region, "cn-") }

// uri is what tells an object from all others.
func (p place) uri(key string) string { return p.base() + escapeKey(key) + p.query() }

// base is what all URIs begin with.
func (p place) base() string {
	switch {
	case p.aws() && p.china():
		return "s3::https://s3." + p.region + ".amazonaws.com.cn/" + p.bucket + "/"
	case p.aws() && strings.Contains(p.bucket, "."):
		return "s3::https://s3-" + p.region + ".amazonaws.com/" + p.bucket + "/"
	case p.aws():
		return "s3::https://" + p.bucket + ".s3." + p.region + ".amazonaws.com/"
	}
	return "s3::" + p.endpoint.Scheme + "://" + p.endpoint.Host + "/" + p.bucket + "/"
}

func (p place) query() string {
	if p.aws() && !p.china() {
		return ""
	}
	return "?region=" + url.QueryEscape(p.region)
}

// keyOf reads a URI that uri made. The region of another server than AWS's
// tells no object from another.
func (p place) keyOf(uri string) (key string, ok bool) {
	rest, ok := strings.CutPrefix(uri, p.base())
	if !ok {
		return "", false
	}
	escaped, query, _ := strings.Cut(rest, "?")
	if query != "" && (p.query() == "" || !strings.HasPrefix(query, "region=")) {
		return "", false
	}
	key, err := url.PathUnescape(escaped)
	if err != nil || escapeKey(key) != escaped {
		return "", false
	}
	_, ok = p.name(key)
	return key, ok
}

// public is the URL by which everybody gets an object, if they may.
func (p place) public(key string) string {
	domain := ".amazonaws.com/"
	if p.china() {
		domain = ".amazonaws.com.cn/"
	}
	switch {
	case p.endpoint != nil && p.pathStyle:
		return p.endpoint.Scheme + "://" + p.endpoint.Host + "/" + p.bucket + "/" + escapeKey(key)
	case p.endpoint != nil:
		return p.endpoint.Scheme + "://" + p.bucket + "." + p.endpoint.Host + "/" + escapeKey(key)
	case p.pathStyle || strings.Contains(p.bucket, "."):
		return "https://s3." + p.region + domain + p.bucket + "/" + escapeKey(key)
	}
	return "https://" + p.bucket + ".s3." + p.region + domain + escapeKey(key)
}

// escapeKey escapes all that is not an unreserved character, for servers read
// a plus and the like in their own ways.
func escapeKey(key string) string {
	parts := strings.Split(key, "/")
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(url.QueryEscape(part), "+", "%20")
	}
	return strings.Join(parts, "/")
}
