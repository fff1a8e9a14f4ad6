// Command inspect lists what a Nomad and a state store hold of topologies:
// jobs, allocations and state nodes. With -empty it fails if there is
// anything. The demo and the tests use it to show, and to check, what heron
// did; it reads with the same libraries but shares no decision with heron.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/hashicorp/nomad/api"
)

func main() {
	var in inspection
	flag.StringVar(&in.nomad, "nomad", "http://127.0.0.1:4646", "address of Nomad")
	flag.StringVar(&in.zookeeper, "zookeeper", "127.0.0.1:2181", "address of ZooKeeper")
	flag.StringVar(&in.root, "root", "/heron", "node that holds the state")
	flag.StringVar(&in.packages, "packages", "", "folder of the packages")
	flag.StringVar(&in.allocs, "allocs", "", "folder in which Nomad keeps the folders of containers")
	empty := flag.Bool("empty", false, "fail if there is anything")
	flag.Parse()
	if err := in.run(*empty); err != nil {
		fmt.Fprintln(os.Stderr, "inspect:", err)
		os.Exit(1)
	}
}

type inspection struct {
	nomad, zookeeper, root, packages, allocs string
}

func (in inspection) run(empty bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if empty {
		if err := in.collect(ctx); err != nil {
			return fmt.Errorf("collect Nomad's garbage: %w", err)
		}
	}
	n, err := in.list(ctx, os.Stdout)
	if err == nil && empty && n > 0 {
		err = fmt.Errorf("%d things are left", n)
	}
	return err
}

// collect has Nomad remove the folders of containers that have ended, which
// it keeps for a while for people to look at, and waits until it has.
func (in inspection) collect(ctx context.Context) error {
	c, err := in.client()
	if err != nil {
		return err
	}
	defer c.Close()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := c.System().GarbageCollect(); err != nil {
			return err
		}
		left, err := in.folders(ctx)
		if err != nil || len(left) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return nil // the listing shows what is left
		case <-tick.C:
		}
	}
}

// list prints everything and counts it.
func (in inspection) list(ctx context.Context, w io.Writer) (int, error) {
	total := 0
	for _, part := range []struct {
		what string
		find func(context.Context) ([]string, error)
	}{
		{"jobs", in.jobs},
		{"containers", in.containers},
		{"state nodes", in.nodes},
		{"package files and folders", in.files},
		{"container folders", in.folders},
		{"container processes", in.running},
	} {
		found, err := part.find(ctx)
		if err != nil {
			return 0, fmt.Errorf("list %s: %w", part.what, err)
		}
		fmt.Fprintf(w, "%s: %d\n", part.what, len(found))
		for _, line := range found {
			fmt.Fprintf(w, "  %s\n", line)
		}
		total += len(found)
	}
	return total, nil
}

func (in inspection) client() (*api.Client, error) {
	return api.NewClient(&api.Config{Address: in.nomad})
}

func (in inspection) jobs(ctx context.Context) ([]string, error) {
	c, err := in.client()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	jobs, _, err := c.Jobs().List((&api.QueryOptions{}).WithContext(ctx))
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, j := range jobs {
		lines = append(lines, fmt.Sprintf("%s  %s", j.ID, j.Status))
	}
	return lines, nil
}

// containers are allocations that have not ended. Nomad keeps the others for
// a while, as history.
func (in inspection) containers(ctx context.Context) ([]string, error) {
	c, err := in.client()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	allocs, _, err := c.Allocations().List((&api.QueryOptions{}).WithContext(ctx))
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, a := range allocs {
		if a.ClientStatus == api.AllocClientStatusPending || a.ClientStatus == api.AllocClientStatusRunning {
			lines = append(lines, fmt.Sprintf("%s  on %s  %s", a.Name, a.NodeName, a.ClientStatus))
		}
	}
	return lines, nil
}

// nodes are the state nodes of topologies; the directories that hold them
// stay for the next topology.
func (in inspection) nodes(context.Context) ([]string, error) {
	conn, _, err := zk.Connect([]string{in.zookeeper}, 10*time.Second, zk.WithLogInfo(false))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var lines []string
	var walk func(path string, depth int) error
	walk = func(path string, depth int) error {
		names, stat, err := conn.Children(path)
		if errors.Is(err, zk.ErrNoNode) {
			return nil
		}
		if err != nil {
			return err
		}
		if depth > 1 {
			lines = append(lines, fmt.Sprintf("%s  %d bytes", path, stat.DataLength))
		}
		for _, name := range names {
			if err := walk(path+"/"+name, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	err = walk(in.root, 0)
	return lines, err
}

func (in inspection) files(context.Context) ([]string, error) {
	if in.packages == "" {
		return nil, nil
	}
	var lines []string
	err := filepath.WalkDir(in.packages, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && path != in.packages {
			lines = append(lines, strings.TrimPrefix(path, in.packages+"/"))
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return lines, err
}

// folders are those of containers, also ended ones.
func (in inspection) folders(context.Context) ([]string, error) {
	if in.allocs == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(in.allocs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var lines []string
	for _, e := range entries {
		lines = append(lines, e.Name())
	}
	return lines, err
}

// running are processes whose working folder lies below the given one. The
// system tells that on Linux only.
func (in inspection) running(context.Context) ([]string, error) {
	if in.allocs == "" {
		return nil, nil
	}
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, link := range links {
		// A process that has ended meanwhile is skipped.
		cwd, err := os.Readlink(link)
		if err == nil && strings.HasPrefix(strings.TrimSuffix(cwd, " (deleted)")+"/", in.allocs+"/") {
			cmd, _ := os.ReadFile(filepath.Join(filepath.Dir(link), "cmdline"))
			lines = append(lines, fmt.Sprintf("%s  %.100s", filepath.Base(filepath.Dir(link)), strings.ReplaceAll(string(cmd), "\x00", " ")))
		}
	}
	return lines, nil
}
