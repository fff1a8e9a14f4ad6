package s3uri

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for uri, want := range map[string]Object{
		"s3://b/k": {Bucket: "b", Key: "k"},
		"s3://b.c/d/k%20x.tar.gz?region=eu-west-1":           {Bucket: "b.c", Key: "d/k x.tar.gz", Region: "eu-west-1"},
		"s3://b/k?version=v1&aws_profile=p":                  {Bucket: "b", Key: "k", Version: "v1", Profile: "p"},
		"s3::https://s3.amazonaws.com/b/d/k":                 {Bucket: "b", Key: "d/k"},
		"s3::https://s3-eu-west-1.amazonaws.com/b/k":         {Bucket: "b", Key: "k", Region: "eu-west-1"},
		"s3::https://s3.eu-west-1.amazonaws.com/b/k":         {Bucket: "b", Key: "k", Region: "eu-west-1"},
		"s3::https://b.s3.amazonaws.com/d/k":                 {Bucket: "b", Key: "d/k"},
		"s3::https://b.s3-us-west-2.amazonaws.com/k":         {Bucket: "b", Key: "k", Region: "us-west-2"},
		"s3::https://b.c.s3.us-west-2.amazonaws.com/k":       {Bucket: "b.c", Key: "k", Region: "us-west-2"},
		"s3::https://b.s3.dualstack.x-1.amazonaws.com/k":     {Bucket: "b", Key: "k", Region: "x-1"},
		"s3::https://b.s3.cn-north-1.amazonaws.com.cn/k":     {Bucket: "b", Key: "k", Region: "cn-north-1"},
		"s3://s3.eu-west-1.amazonaws.com/b/k":                {Bucket: "b", Key: "k", Region: "eu-west-1"},
		"s3::http://127.0.0.1:7070/b/d/k?region=us-east-1":   {Bucket: "b", Key: "d/k", Region: "us-east-1", Endpoint: "http://127.0.0.1:7070"},
		"s3::https://minio.example.org/b/k?versionId=0x1%2B": {Bucket: "b", Key: "k", Version: "0x1+", Endpoint: "https://minio.example.org"},
	} {
		if got, err := Parse(uri); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", uri, got, err, want)
		}
		if !Is(uri) {
			t.Errorf("%s is taken for no URI of S3", uri)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for uri, says := range map[string]string{
		"s3://":                         "names no object",
		"s3://b":                        "names no object",
		"s3://b/":                       "names no object",
		"s3://b/folder/":                "names no object",
		"s3::https://host/b":            "names no object",
		"s3::https://ec2.amazonaws.com": "names no object",
		"s3::ftp://host/b/k":            "no scheme of S3",
		"https://host/b/k":              "no scheme of S3",
		"s3://user:sesame@b/k":          "without user",
		"s3://b/k#x":                    "fragment",
		"s3://b/k?x-id=1":               "x-id",
		"s3://b/k?aws_access_key_id=i&aws_access_key_secret=sesame": "must not stand in a URI",
		"s3://b/k?%zz=sesame": "not a query",
		"s3://b/%zz?sesame":   "not a URI",
	} {
		_, err := Parse(uri)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s: %v, want an error that says %q", uri, err, says)
		}
	}
}
