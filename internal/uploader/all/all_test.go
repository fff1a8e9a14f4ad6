package all

import (
	"errors"
	"testing"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/uploader"
)

func TestNewChoosesByKind(t *testing.T) {
	for _, s := range []conf.Upload{
		{Kind: "localfs", LocalDir: "/packages"},
		{Kind: "http", HTTP: conf.HTTPUpload{URI: "http://h/"}},
		{Kind: "s3", S3: conf.S3Upload{Bucket: "packages", AccessKey: "a", SecretKey: "b", Concurrency: 1}},
		{Kind: "scp", SCP: conf.SCPUpload{Hosts: []string{"h"}, Dir: "/packages"}},
	} {
		u, err := New(s, uploader.Options{Home: t.TempDir()})
		if err != nil {
			t.Errorf("%s: %v", s.Kind, err)
			continue
		}
		// Each has an answer of its own to what it can do.
		if can := u.Capabilities(); can.FixedNames == (s.Kind == "http") || can.Resume != (s.Kind == "s3") {
			t.Errorf("%s can do %+v", s.Kind, can)
		}
		if err := u.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestNewRefusesWrongSettings(t *testing.T) {
	for _, s := range []conf.Upload{{}, {Kind: "carrier-pigeon"}, {Kind: "localfs"}, {Kind: "http"}, {Kind: "s3"}, {Kind: "scp"}} {
		var input *uploader.ConfigError
		if u, err := New(s, uploader.Options{}); !errors.As(err, &input) || input.Kind() != outcome.Usage || u != nil {
			t.Errorf("%+v: got %v, want a *ConfigError", s, err)
		}
	}
}
