package testenv

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
)

// dockerAPI talks to a daemon. The requests are of a kind that every version
// of it understands.
type dockerAPI struct {
	http *http.Client
}

func newDockerAPI(socket string) dockerAPI {
	var dialer net.Dialer
	return dockerAPI{http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
		DisableKeepAlives: true,
	}}}
}

func (a dockerAPI) ping(ctx context.Context) error {
	_, err := a.send(ctx, "GET", "/_ping", "", nil)
	return err
}

// send makes a request and returns the whole answer.
func (a dockerAPI) send(ctx context.Context, method, path, kind string, body io.Reader) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://docker"+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("docker answers %s: %s", resp.Status, bytes.TrimSpace(text))
	}
	return text, err
}

// call sends and receives JSON; in and out may be nil.
func (a dockerAPI) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	text, err := a.send(ctx, method, path, "application/json", body)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(text, out)
}

// Containers are the ids of all containers, also of those that have ended.
func (d *DockerServer) Containers(ctx context.Context) ([]string, error) {
	var list []struct{ ID string }
	if err := d.api.call(ctx, "GET", "/containers/json?all=1", nil, &list); err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	ids := []string{}
	for _, c := range list {
		ids = append(ids, c.ID)
	}
	return ids, nil
}

// Images are the tags of all images, sorted.
func (d *DockerServer) Images(ctx context.Context) ([]string, error) {
	var list []struct{ RepoTags []string }
	if err := d.api.call(ctx, "GET", "/images/json", nil, &list); err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	tags := []string{}
	for _, i := range list {
		tags = append(tags, i.RepoTags...)
	}
	slices.Sort(tags)
	return tags, nil
}

// Build makes an image. Files are what the Dockerfile may copy: names, and
// where they are on this machine. A tag other than latest keeps Nomad from
// looking for the image elsewhere.
func (d *DockerServer) Build(ctx context.Context, tag, dockerfile string, files map[string]string) error {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	err := addFile(w, "Dockerfile", []byte(dockerfile))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text, readErr := os.ReadFile(files[name])
		err = errors.Join(err, readErr, addFile(w, name, text))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("build image %s: %w", tag, err)
	}
	query := url.Values{"t": {tag}, "forcerm": {"1"}, "networkmode": {"none"}}
	text, err := d.api.send(ctx, "POST", "/build?"+query.Encode(), "application/x-tar", &archive)
	if err == nil {
		err = buildError(text)
	}
	if err != nil {
		return fmt.Errorf("build image %s: %w", tag, err)
	}
	return nil
}

// coreDockerfile is the least that an image for containers of a topology must
// have: a shell with tar and sha256sum, heron-core, and something that looks
// like Java. It has no heron-conf.
const coreDockerfile = `FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir -p /jdk/bin && printf '#!/bin/sh\n' >/jdk/bin/java && chmod 755 /jdk/bin/java
ENV JAVA_HOME=/jdk
ADD heron-core.tar.gz /heron/
WORKDIR /heron
`

// BuildCore makes the smallest image that runs a core package, which must be
// a gzipped tar of static programs.
func (d *DockerServer) BuildCore(ctx context.Context, tag, core string) error {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return fmt.Errorf("build image %s: %w; apt-get install busybox-static", tag, err)
	}
	return d.Build(ctx, tag, coreDockerfile, map[string]string{"busybox": busybox, "heron-core.tar.gz": core})
}

// buildError finds what went wrong in the log of a build, a row of JSON
// values.
func buildError(log []byte) error {
	for d := json.NewDecoder(bytes.NewReader(log)); ; {
		var line struct{ Error string }
		switch err := d.Decode(&line); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case line.Error != "":
			return fmt.Errorf("%s\n%s", line.Error, log)
		}
	}
}

func addFile(w *tar.Writer, name string, text []byte) error {
	err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text)), Typeflag: tar.TypeReg})
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// Run runs a command in a new container on a network, and returns its exit
// code and what it wrote.
func (d *DockerServer) Run(ctx context.Context, image, network string, command ...string) (code int, output string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("run %q in a container: %w", command, err)
		}
	}()
	var made struct{ ID string }
	err = d.api.call(ctx, "POST", "/containers/create", map[string]any{
		// With a terminal the log is plain text.
		"Image": image, "Cmd": command, "Tty": true, "HostConfig": map[string]any{"NetworkMode": network},
	}, &made)
	if err != nil {
		return 0, "", err
	}
	path := "/containers/" + made.ID
	defer func() { err = errors.Join(err, d.api.call(ctx, "DELETE", path+"?force=1&v=1", nil, nil)) }()
	if err := d.api.call(ctx, "POST", path+"/start", nil, nil); err != nil {
		return 0, "", err
	}
	var ended struct{ StatusCode int }
	if err := d.api.call(ctx, "POST", path+"/wait", nil, &ended); err != nil {
		return 0, "", err
	}
	text, err := d.api.send(ctx, "GET", path+"/logs?stdout=1&stderr=1", "", nil)
	return ended.StatusCode, string(text), err
}
