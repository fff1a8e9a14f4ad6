// Package all chooses the uploader that a configuration names.
package all

import (
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/http"
	"github.com/heron-nomad/heron/internal/uploader/localfs"
	"github.com/heron-nomad/heron/internal/uploader/s3"
	"github.com/heron-nomad/heron/internal/uploader/scp"
)

// New makes the uploader that the settings ask for, decorated. It connects to
// nothing; a wrong setting is an *uploader.ConfigError.
func New(settings conf.Upload, opts uploader.Options) (uploader.Uploader, error) {
	base, err := bare(settings, opts)
	if err != nil {
		return nil, err
	}
	return uploader.Decorate(base, settings, opts), nil
}

// bare makes the uploader alone.
func bare(settings conf.Upload, opts uploader.Options) (uploader.Uploader, error) {
	switch settings.Kind {
	case "localfs":
		return orError(localfs.New(settings))
	case "http":
		return orError(http.New(settings, opts))
	case "s3":
		return orError(s3.New(settings))
	case "scp":
		return orError(scp.New(settings, opts))
	}
	return nil, &uploader.ConfigError{What: "uploader", Value: settings.Kind, Reason: "not known; use localfs, http, s3 or scp"}
}

// orError keeps a nil pointer from becoming an interface that is not nil.
func orError[T uploader.Uploader](u T, err error) (uploader.Uploader, error) {
	if err != nil {
		return nil, err
	}
	return u, nil
}
