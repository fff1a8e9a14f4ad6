package testenv

import (
	"context"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/hashicorp/nomad/api"
)

func TestZooKeeperKeepsItsDataOverACrash(t *testing.T) {
	s := ownServer(t, StartZooKeeper)
	conn := zkConn(t, s.Addr)
	if _, err := conn.Create("/kept", []byte("x"), 0, zk.WorldACL(zk.PermAll)); err != nil {
		t.Fatal(err)
	}
	addr := s.Addr
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := askZooKeeper(t.Context(), onLoopback(), addr); err == nil {
		t.Fatal("a killed server answers")
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Addr != addr {
		t.Errorf("restarted on %s, was on %s", s.Addr, addr)
	}
	if data, _, err := zkConn(t, s.Addr).Get("/kept"); err != nil || string(data) != "x" {
		t.Errorf("after a restart: %q, %v", data, err)
	}
}

func TestPausedServerDoesNotAnswer(t *testing.T) {
	s := ownServer(t, StartZooKeeper)
	if err := s.Pause(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	answered := make(chan error, 1)
	go func() { answered <- askZooKeeper(ctx, onLoopback(), s.Addr) }()
	select {
	case err := <-answered:
		if err == nil {
			t.Error("a paused server answers")
		}
	case <-ctx.Done():
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := s.waitReady(t.Context(), s.proc.Load()); err != nil {
		t.Error(err)
	}
}

func zkConn(t *testing.T, addr string) *zk.Conn {
	t.Helper()
	conn, _, err := zk.Connect([]string{addr}, 10*time.Second, zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// sleeper is a job whose task leaves a child in a session of its own and does
// not end when asked to.
func sleeper(t *testing.T, client *api.Client) *api.Job {
	t.Helper()
	task := api.NewTask("sleep", "raw_exec").
		SetConfig("command", "/bin/sh").
		SetConfig("args", []string{"-c", "trap '' INT TERM; setsid sleep 3600 & while :; do sleep 3600; done"})
	second := time.Second
	task.KillTimeout = &second
	job := api.NewServiceJob("sleeper", "sleeper", "global", 50).
		AddTaskGroup(api.NewTaskGroup("group", 2).AddTask(task))
	job.Datacenters = []string{"*"}
	if _, _, err := client.Jobs().Register(job, nil); err != nil {
		t.Fatal(err)
	}
	return job
}

func waitRunning(t *testing.T, client *api.Client, job string, count int) {
	t.Helper()
	waitFor(t, "running allocations", func() bool {
		allocs, _, err := client.Jobs().Allocations(job, false, nil)
		running := 0
		for _, alloc := range allocs {
			if alloc.ClientStatus == api.AllocClientStatusRunning {
				running++
			}
		}
		return err == nil && running == count
	})
}

// waitFor polls until done, for at most a minute.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute for %s", what)
		}
		time.Sleep(pollEvery)
	}
}

func TestStoppedNomadLeavesNoProcess(t *testing.T) {
	for name, before := range map[string]func(*Server) error{
		"stopped":          func(*Server) error { return nil },
		"paused":           (*Server).Pause,
		"killed":           (*Server).Kill,
		"killed and again": func(s *Server) error { return s.Restart(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := ownServer(t, func(ctx context.Context, dir string) (*Server, error) {
				return StartNomad(ctx, dir, NomadOptions{})
			})
			client, err := api.NewClient(&api.Config{Address: s.Addr})
			if err != nil {
				t.Fatal(err)
			}
			waitRunning(t, client, *sleeper(t, client).ID, 2)
			if pids, err := Processes(s.Dir); err != nil || len(pids) < 3 {
				t.Fatalf("processes of a Nomad that runs two tasks: %v, %v", pids, err)
			}
			if err := before(s); err != nil {
				t.Fatal(err)
			}
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
			if pids, err := Processes(s.Dir); err != nil || len(pids) > 0 {
				t.Errorf("left running: %v, %v", pids, err)
			}
		})
	}
}

func TestDurableNomadKeepsItsJobsOverACrash(t *testing.T) {
	s := ownServer(t, func(ctx context.Context, dir string) (*Server, error) {
		return StartNomad(ctx, dir, NomadOptions{Durable: true})
	})
	client, err := api.NewClient(&api.Config{Address: s.Addr})
	if err != nil {
		t.Fatal(err)
	}
	id := *sleeper(t, client).ID
	waitRunning(t, client, id, 2)
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitRunning(t, client, id, 2)
}
