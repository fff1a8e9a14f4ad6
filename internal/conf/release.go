package conf

import (
	"errors"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"
)

const releaseName = "release.yaml"

// readRelease reads the release file, or what stands for the one in Heron's
// home where that has none.
func (l *Loaded) readRelease(path string) (layer, error) {
	if path == "" {
		return layer{rank: rankFile}, nil
	}
	f := PackageFile{Name: filepath.Base(path)}
	data, info, err := readWithInfo(path)
	switch {
	case err == nil:
		f.Private = private(info)
	case errors.Is(err, fs.ErrNotExist) && l.opts.ReleaseFile == "" && l.opts.Release != nil:
		data = l.opts.Release
	default:
		return l.readLayer(path) // it is missing, a folder, or cannot be read
	}
	m, err := parseYAML(path, data)
	if err != nil {
		return layer{}, err
	}
	f.Data = data
	clean := withoutSecrets(m).(mapping)
	if line, _ := namesSecret(data); line > 0 || !reflect.DeepEqual(clean, m) {
		f.Data = emit(clean)
	}
	l.release = &f
	return layer{rank: rankFile, source: fileSource(path, 0), values: entries(path, m)}, nil
}

// checkRelease refuses a release file that the caller named and that is not
// there.
func (l *Loaded) checkRelease() error {
	if l.release == nil && l.opts.ReleaseFile != "" {
		return &Error{Source: fileSource(l.opts.ReleaseFile, 0), Msg: "is no release file", Hint: "name a file such as release.yaml in Heron's home"}
	}
	return nil
}

// Build is what the configuration says about how the program was built: the keys
// of the release file and what lies over it, by name.
func (l *Loaded) Build() []Property {
	var list []Property
	for _, k := range sortedKeys(l.values) {
		if strings.Contains(k, "heron.build") {
			list = append(list, Property{Key: k, Value: l.values[k].text})
		}
	}
	return list
}
