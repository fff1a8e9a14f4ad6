// Command bare sends to ZooKeeper and Nomad what a command of heron cannot do
// without, and nothing else:
//
//	bare submit ORDER   the package, one transaction, plan, register, read back
//	bare kill ORDER     stop, look at allocations, one transaction, the package, purge
//	bare pack ORDER     makes the package of the files in a folder
//	bare get ORDER      reads files and, at the same time, asks for URLs
//	bare wait ORDER     prints a line when Nomad's stream says that all containers run
//
// ORDER is a JSON file; see the type.
package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/hashicorp/nomad/api"
	"golang.org/x/sync/errgroup"
)

// order says what to send, and where to.
type order struct {
	ZooKeeper, Nomad string
	// Nodes are made in their order, and removed in the opposite one.
	Nodes []node
	// JobID is the job's, and Job a file with it as JSON.
	JobID, Job string
	// Package is copied to Stored. Folder is what it is made of.
	Package, Stored, Folder string
	// Files and Get are what is read, and Nodes.
	Files, Get []string
	// Containers is how many of the job are waited for.
	Containers int
}

type node struct {
	Path string
	Data []byte
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: bare submit|kill|pack|get|wait ORDER")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintf(os.Stderr, "bare %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func run(what, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var o order
	if err := json.Unmarshal(text, &o); err != nil {
		return err
	}
	switch what {
	case "submit":
		return o.submit()
	case "kill":
		return o.kill()
	case "pack":
		return o.pack()
	case "get":
		return o.get()
	case "wait":
		return o.wait()
	}
	return errors.New("no such command")
}

// quiet drops the log of the ZooKeeper client.
type quiet struct{}

func (quiet) Printf(string, ...any) {}

// connect opens a session. With go-zookeeper the first request waits for it.
func (o order) connect() (*zk.Conn, *api.Client, error) {
	state, _, err := zk.Connect([]string{o.ZooKeeper}, 10*time.Second, zk.WithLogger(quiet{}))
	if err != nil {
		return nil, nil, err
	}
	jobs, err := api.NewClient(&api.Config{Address: o.Nomad})
	return state, jobs, err
}

func (o order) submit() error {
	state, nomad, err := o.connect()
	if err != nil {
		return err
	}
	defer state.Close()
	if err := o.store(); err != nil {
		return err
	}
	var ops []any
	for _, n := range o.Nodes {
		ops = append(ops, &zk.CreateRequest{Path: n.Path, Data: n.Data, Acl: zk.WorldACL(zk.PermAll)})
	}
	if _, err := state.Multi(ops...); err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	text, err := os.ReadFile(o.Job)
	if err != nil {
		return err
	}
	var job api.Job
	if err := json.Unmarshal(text, &job); err != nil {
		return err
	}
	if _, _, err := nomad.Jobs().Plan(&job, false, nil); err != nil {
		return err
	}
	if _, _, err := nomad.Jobs().EnforceRegister(&job, 0, nil); err != nil {
		return err
	}
	_, _, err = nomad.Jobs().Info(o.JobID, nil)
	return err
}

func (o order) kill() error {
	state, nomad, err := o.connect()
	if err != nil {
		return err
	}
	defer state.Close()
	if _, _, err := nomad.Jobs().Info(o.JobID, nil); err != nil {
		return err
	}
	if _, _, err := nomad.Jobs().Deregister(o.JobID, false, nil); err != nil {
		return err
	}
	if _, _, err := nomad.Jobs().Allocations(o.JobID, false, nil); err != nil {
		return err
	}
	var ops []any
	for _, n := range slices.Backward(o.Nodes) {
		ops = append(ops, &zk.DeleteRequest{Path: n.Path, Version: -1})
	}
	if _, err := state.Multi(ops...); err != nil {
		return fmt.Errorf("remove the state: %w", err)
	}
	if err := os.Remove(o.Stored); err != nil {
		return err
	}
	_, _, err = nomad.Jobs().Deregister(o.JobID, true, nil)
	return err
}

// get reads everything and looks at nothing.
func (o order) get() error {
	failed := make(chan error, len(o.Get))
	for _, url := range o.Get {
		go func() {
			answer, err := http.Get(url) //nolint:gosec,noctx // a server of the benchmark
			if err == nil {
				_, err = io.Copy(io.Discard, answer.Body)
				err = errors.Join(err, answer.Body.Close())
			}
			failed <- err
		}()
	}
	var errs []error
	if len(o.Nodes) > 0 {
		errs = append(errs, o.readNodes())
	}
	for _, file := range o.Files {
		_, err := os.ReadFile(file)
		errs = append(errs, err)
	}
	for range o.Get {
		errs = append(errs, <-failed)
	}
	return errors.Join(errs...)
}

// readNodes reads all nodes, as many at a time as heron does.
func (o order) readNodes() error {
	state, _, err := o.connect()
	if err != nil {
		return err
	}
	defer state.Close()
	var group errgroup.Group
	group.SetLimit(64)
	for _, n := range o.Nodes {
		group.Go(func() error {
			_, _, err := state.Get(n.Path)
			return err
		})
	}
	return group.Wait()
}

// store copies the package.
func (o order) store() error {
	from, err := os.Open(o.Package)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.Create(o.Stored)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}

// pack makes the package anew, at the compression that gzip has by default.
func (o order) pack() error {
	out, err := os.Create(o.Stored)
	if err != nil {
		return err
	}
	z := gzip.NewWriter(out)
	t := tar.NewWriter(z)
	err = filepath.WalkDir(o.Folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		return add(t, path, entry)
	})
	return errors.Join(err, t.Close(), z.Close(), out.Close())
}

func add(t *tar.Writer, path string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	header, err := tar.FileInfoHeader(info, "")
	if err != nil {
		return err
	}
	if err := t.WriteHeader(header); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(t, f)
	return err
}

// wait prints to standard error, as ours does.
func (o order) wait() error {
	nomad, err := api.NewClient(&api.Config{Address: o.Nomad})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_, now, err := nomad.Allocations().List(nil)
	if err != nil {
		return err
	}
	stream, err := nomad.EventStream().Stream(ctx, map[api.Topic][]string{api.TopicAllocation: {o.JobID}}, now.LastIndex+1, nil)
	if err != nil {
		return err
	}
	running := map[string]bool{}
	for events := range stream {
		if events.Err != nil {
			return events.Err
		}
		for _, e := range events.Events {
			if a, err := e.Allocation(); err == nil && a != nil && a.DesiredStatus == api.AllocDesiredStatusRun {
				running[a.ID] = a.ClientStatus == api.AllocClientStatusRunning
			}
		}
		n := 0
		for _, runs := range running {
			if runs {
				n++
			}
		}
		if n == o.Containers {
			fmt.Fprintf(os.Stderr, "%d of %d containers run\n", n, n)
			return nil
		}
	}
	return errors.New("the stream has ended")
}
