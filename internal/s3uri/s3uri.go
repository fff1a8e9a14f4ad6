// Package s3uri reads the URIs by which objects of S3 are named: the one of
// AWS's own tools, s3://bucket/key, and the ones of Nomad's artifacts,
// s3::https://host/bucket/key?region=R. It asks no server.
package s3uri

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// forced is the prefix by which Nomad's artifacts tell an S3 address from a
// plain one.
const forced = "s3::"

// Object is an object and how to reach it.
type Object struct {
	Bucket, Key string
	// Version is the id of one version, "" for the newest.
	Version string
	// Region is "" where the URI does not tell.
	Region string
	// Endpoint is the URL of another server than AWS's, "" for AWS. Such a
	// server has the bucket in the path.
	Endpoint string
	// Profile is the section of AWS's own files whose credentials are used, ""
	// for the usual ones.
	Profile string
}

// Is tells whether a URI names an object of S3, in either form.
func Is(uri string) bool {
	return strings.HasPrefix(uri, forced) || strings.HasPrefix(strings.ToLower(uri), "s3://")
}

// Parse reads a URI. Its errors do not show the query, which may hold a
// secret.
func Parse(uri string) (Object, error) {
	rest, isForced := strings.CutPrefix(uri, forced)
	u, err := url.Parse(rest)
	if err != nil {
		var bad *url.Error
		if errors.As(err, &bad) {
			err = bad.Err
		}
		return Object{}, fmt.Errorf("not a URI: %w", err)
	}
	if u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return Object{}, errors.New("use s3://bucket/key or s3::https://host/bucket/key, without user and fragment")
	}
	o, err := query(u)
	if err != nil {
		return Object{}, err
	}
	key := strings.TrimPrefix(u.Path, "/")
	switch {
	case u.Scheme == "s3" && !onAWS(u.Host):
		o.Bucket, o.Key = u.Host, key
	case isForced && (u.Scheme == "https" || u.Scheme == "http"), u.Scheme == "s3":
		o.address(u, key)
	default:
		return Object{}, fmt.Errorf("%q is no scheme of S3; use s3://bucket/key or s3::https://host/bucket/key", u.Scheme)
	}
	if o.Bucket == "" || o.Key == "" || strings.HasSuffix(o.Key, "/") {
		return Object{}, errors.New("it names no object; use s3://bucket/key or s3::https://host/bucket/key")
	}
	return o, nil
}

const awsDomain = ".amazonaws.com"

func onAWS(host string) bool {
	return strings.HasSuffix(host, awsDomain) || strings.HasSuffix(host, awsDomain+".cn")
}

// address reads host and path: AWS has the bucket in either of them, the
// region in the host; others have the bucket in the path.
func (o *Object) address(u *url.URL, key string) {
	if !onAWS(u.Host) {
		o.Endpoint = u.Scheme + "://" + u.Host
		o.Bucket, o.Key, _ = strings.Cut(key, "/")
		return
	}
	host := strings.TrimSuffix(strings.TrimSuffix(u.Host, ".cn"), awsDomain)
	// A bucket's name may have dots, and "s3" comes after all of it.
	labels, service := strings.Split(host, "."), -1
	for i, label := range labels {
		if label == "s3" || strings.HasPrefix(label, "s3-") {
			service = i
		}
	}
	if service < 0 {
		return
	}
	region := strings.TrimPrefix(strings.TrimPrefix(labels[service], "s3"), "-")
	for _, label := range labels[service+1:] {
		if label != "dualstack" {
			region = label
		}
	}
	if o.Region == "" {
		o.Region = region
	}
	if bucket := strings.Join(labels[:service], "."); bucket != "" {
		o.Bucket, o.Key = bucket, key
	} else {
		o.Bucket, o.Key, _ = strings.Cut(key, "/")
	}
}

// query reads the parameters that Nomad's artifacts know.
func query(u *url.URL) (Object, error) {
	var o Object
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return o, errors.New("what follows the question mark is not a query")
	}
	for name, value := range values {
		switch name {
		case "region":
			o.Region = value[0]
		case "version", "versionId":
			o.Version = value[0]
		case "aws_profile":
			o.Profile = value[0]
		case "aws_access_key_id", "aws_access_key_secret", "aws_access_token":
			return o, fmt.Errorf("%s must not stand in a URI, where others see it; use AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile", name)
		default:
			return o, fmt.Errorf("the parameter %q is not known; region, version and aws_profile are", name)
		}
	}
	return o, nil
}
