// Command pack makes the stand-in core package: it builds the stand-in and
// writes a heron-core.tar.gz laid out as the real one. Equal sources, target
// and Go version give equal bytes.
//
// GOOS and GOARCH choose what it is built for; the default is this machine.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/standin"
)

const program = "github.com/heron-nomad/heron/internal/standin/heron-executor"

// settings collects --set NAME=VALUE.
type settings []string

func (s *settings) String() string { return strings.Join(*s, " ") }

func (s *settings) Set(v string) error {
	if !strings.HasPrefix(v, "HERON_STANDIN_") || !strings.Contains(v, "=") {
		return errors.New("want HERON_STANDIN_NAME=VALUE")
	}
	*s = append(*s, v)
	return nil
}

func main() {
	var set settings
	flag.Var(&set, "set", "a `HERON_STANDIN_NAME=VALUE` that the stand-in reads at its start; may be repeated")
	root := flag.String("root", ".", "the checkout's `FOLDER`")
	flag.Usage = func() {
		_, _ = fmt.Fprintln(flag.CommandLine.Output(), "usage: scripts/standin-core [--set NAME=VALUE]... OUT.tar.gz")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*root, flag.Arg(0), set); err != nil {
		fmt.Fprintf(os.Stderr, "making the stand-in core: %v\n", err)
		os.Exit(1)
	}
}

func run(root, out string, set settings) error {
	dir, err := os.MkdirTemp("", "standin-core-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "heron-executor")
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", binary, program)
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	data, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	if err := write(&packed, data, set); err != nil {
		return err
	}
	// The file appears whole or not at all.
	tmp := out + ".part"
	err = os.WriteFile(tmp, packed.Bytes(), 0o644)
	if err == nil {
		err = os.Rename(tmp, out)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(tmp))
	}
	return err
}

func write(to *bytes.Buffer, binary []byte, set settings) error {
	zipped := gzip.NewWriter(to)
	out := tar.NewWriter(zipped)
	var failed error
	put := func(h tar.Header, data []byte) {
		h.ModTime, h.Format, h.Size = time.Unix(0, 0), tar.FormatUSTAR, int64(len(data))
		h.Name = "heron-core/" + h.Name
		if failed == nil {
			failed = out.WriteHeader(&h)
		}
		if failed == nil {
			_, failed = out.Write(data)
		}
	}
	dir := func(name string) { put(tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}, nil) }
	file := func(name, text string) {
		put(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}, []byte(text))
	}
	dir("")
	file("STAND-IN", standin.Notice+"\n")
	file("release.yaml", release)
	if len(set) > 0 {
		file("standin.conf", strings.Join(set, "\n")+"\n")
	}
	dir("bin/")
	put(tar.Header{Typeflag: tar.TypeReg, Name: "bin/heron-executor", Mode: 0o755}, binary)
	for _, name := range []string{"downloader", "tmanager", "stmgr", "shell", "python-instance", "cpp-instance"} {
		put(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/heron-" + name, Linkname: "heron-executor", Mode: 0o777}, nil)
	}
	dir("lib/")
	for _, name := range []string{
		"ckptmgr", "downloaders", "healthmgr", "instance", "metricscachemgr",
		"metricsmgr", "packing", "scheduler", "statefulstorage", "statemgr",
	} {
		dir("lib/" + name + "/")
	}
	return errors.Join(failed, out.Close(), zipped.Close())
}

// release has the keys of a release file, and nothing true in them but that
// this is none.
const release = `heron.build.version: stand-in
heron.build.time: none
heron.build.timestamp: 0
heron.build.host: none
heron.build.user: stand-in
heron.build.git.revision: none
heron.build.git.status: none
`
