package standin

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
)

// downloaderMain fetches a topology package and unpacks it, with the real
// downloader's arguments: -u URI -f DIR -m MODE -p CONF -d HOME. As with the
// real one the scheme must be in CONF's downloader.yaml.
func downloaderMain(args []string) error {
	names := map[string]string{
		"-u": "uri", "--topology_package_uri": "uri", "-f": "to", "--extract_destination": "to",
		"-m": "mode", "--mode": "mode", "-d": "home", "--heron_home": "home", "-p": "conf", "--config_path": "conf",
	}
	got := map[string]string{"mode": "cluster", "conf": "./heron-conf"}
	for i := 0; i < len(args); i += 2 {
		name, ok := names[args[i]]
		if !ok || i+1 == len(args) {
			return fmt.Errorf("bad argument %q", args[i])
		}
		got[name] = args[i+1]
	}
	if got["uri"] == "" || got["to"] == "" {
		return errors.New("usage: heron-downloader -u URI -f DIR [-m cluster|local -p CONF -d HOME]")
	}
	if got["mode"] == "local" && got["home"] == "" {
		return errors.New("missing heron_home or config_path argument")
	}
	uri, err := url.Parse(got["uri"])
	if err != nil {
		return err
	}
	config, err := readYAML(filepath.Join(got["conf"], "downloader.yaml"))
	if err != nil {
		return err
	}
	registry, _ := config["heron.downloader.registry"].(map[string]any)
	if registry[uri.Scheme] == nil {
		return fmt.Errorf("unable to create downloader: unsupported uri %s", uri)
	}
	body, err := open(uri)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	return unpack(body, got["to"])
}

func open(uri *url.URL) (io.ReadCloser, error) {
	if uri.Scheme == "file" {
		return os.Open(uri.Path)
	}
	// Whoever started the downloader ends it with a signal.
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, uri.String(), nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil, fmt.Errorf("GET %s: %s", uri, response.Status)
	}
	return response.Body, nil
}

// unpack takes files and directories, no more than the real one does; it
// does not make directories for files nor keep modes.
func unpack(r io.Reader, to string) error {
	zipped, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(to)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for in := tar.NewReader(zipped); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := filepath.Clean(header.Name)
		if name == "." {
			continue
		}
		if header.Typeflag == tar.TypeDir {
			err = root.MkdirAll(name, 0o755)
		} else {
			err = unpackFile(root, name, in)
		}
		if err != nil {
			return err
		}
	}
}

func unpackFile(root *os.Root, name string, r io.Reader) error {
	f, err := root.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
