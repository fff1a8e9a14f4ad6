package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// startTimeout bounds how long a server may take to answer. It is far
	// above what is seen, for machines that do much else at the time.
	startTimeout = 2 * time.Minute
	// stopTimeout is how long a server may take to end by itself.
	stopTimeout = 40 * time.Second
	pollEvery   = 50 * time.Millisecond
)

// A Server is a real server, run as a process on loopback with its data in a
// folder of its own. Its methods may be called from any goroutine, one at a
// time: a fault proxy's may kill what the test's own starts again.
type Server struct {
	// Addr is where it answers: host:port for ZooKeeper, a URL for Nomad.
	Addr string
	// Dir holds its configuration, data and log.
	Dir string

	name  string
	argv  []string
	env   []string
	block *portBlock
	// tmp, where set, is a folder for temporary files outside Dir.
	tmp string
	// ready returns nil once the server does its work.
	ready func(context.Context) error
	// drain, where set, ends what the server runs before it is stopped.
	drain func(context.Context) error
	// after, where set, clears up when the server is gone.
	after func() error
	// deathSignal reaches the server when this process dies without stopping it.
	deathSignal syscall.Signal
	// proc is nil while the server is down.
	proc atomic.Pointer[process]
}

// A process is one life of a server.
type process struct {
	pid  int
	done chan struct{} // closed when it has ended
	err  error         // why it ended; read only after done
}

// Log is the path of the file that takes the server's output over all its lives.
func (s *Server) Log() string { return s.Dir + "/log" }

// Pid is the server's process id, 0 while it is down.
func (s *Server) Pid() int {
	if proc := s.proc.Load(); proc != nil {
		return proc.pid
	}
	return 0
}

// start runs the server and returns when it is ready. On failure nothing is
// left running, and the error ends with what the server wrote last.
func (s *Server) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	proc, err := s.spawn()
	if err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	s.proc.Store(proc)
	if err := s.waitReady(ctx, proc); err != nil {
		_ = s.Kill()
		_ = killBelow(s.Dir)
		return fmt.Errorf("start %s: %w; its log ends with:\n%s", s.name, err, tail(s.Log()))
	}
	return nil
}

// spawn starts the process on a thread that lives as long as it does: where a
// death signal is set, the kernel sends it when the starting thread ends.
func (s *Server) spawn() (*process, error) {
	log, err := os.OpenFile(s.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(s.argv[0], s.argv[1:]...)
	cmd.Env, cmd.Dir = s.env, s.Dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttr(s.deathSignal)

	proc := &process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer func() { _ = log.Close() }()
		err := cmd.Start()
		if err == nil {
			proc.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			proc.err = cmd.Wait()
			close(proc.done)
		}
	}()
	return proc, <-started
}

func (s *Server) waitReady(ctx context.Context, proc *process) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	last := errors.New("not asked yet")
	for {
		select {
		case <-proc.done:
			return fmt.Errorf("it ended at once: %w", proc.err)
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w (last: %w)", ctx.Err(), last)
		case <-tick.C:
			if last = s.ready(ctx); last == nil {
				return nil
			}
		}
	}
}

// Stop ends the server and all that it runs, and waits until they are gone.
// It may be called more than once, and on a server that is down or paused.
func (s *Server) Stop() error {
	var errs []error
	if s.proc.Load() != nil {
		_ = s.Resume()
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		if s.drain != nil {
			errs = append(errs, s.drain(ctx))
		}
		errs = append(errs, s.end())
	}
	errs = append(errs, killBelow(s.Dir), unmountBelow(s.Dir))
	errs = append(errs, s.discard())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stop %s: %w", s.name, err)
	}
	return nil
}

// discard gives back what the server holds outside its folder.
func (s *Server) discard() error {
	var errs []error
	if s.after != nil {
		errs = append(errs, s.after())
		s.after = nil
	}
	if s.tmp != "" {
		errs = append(errs, os.RemoveAll(s.tmp))
	}
	if s.block != nil {
		s.block.release()
		s.block = nil
	}
	return errors.Join(errs...)
}

// end asks the process to end, and kills it after stopTimeout.
func (s *Server) end() error {
	proc := s.proc.Load()
	if err := s.signal(syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-proc.done:
		s.proc.Store(nil)
		return nil
	case <-timer.C:
		return s.Kill()
	}
}

// Kill ends the server as a crash would. What it runs is left running, until
// Stop.
func (s *Server) Kill() error {
	proc := s.proc.Load()
	if proc == nil {
		return nil
	}
	if err := s.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-proc.done
	s.proc.Store(nil)
	return nil
}

// Pause freezes the server: connections are accepted by the system, and
// nothing answers. Resume ends that.
func (s *Server) Pause() error {
	if err := s.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	// The signal is on its way when it has been sent, and until it arrives the
	// server answers.
	for deadline := time.Now().Add(stopTimeout); !paused(s.Pid()); {
		if time.Now().After(deadline) {
			return fmt.Errorf("pause %s: process %d is still running", s.name, s.Pid())
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// Resume continues a paused server.
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT) }

// Restart starts the server again on the same address with the same data, and
// returns when it is ready. A server that still runs is killed first.
func (s *Server) Restart(ctx context.Context) error {
	if s.block == nil {
		return fmt.Errorf("restart %s: it was stopped for good", s.name)
	}
	if err := s.Kill(); err != nil {
		return fmt.Errorf("restart %s: %w", s.name, err)
	}
	return s.start(ctx)
}

// signal sends one to the server itself, if it still runs.
func (s *Server) signal(sig syscall.Signal) error {
	proc := s.proc.Load()
	if proc == nil {
		return fmt.Errorf("signal %s: it is not running", s.name)
	}
	select {
	case <-proc.done:
		return nil
	default:
	}
	if err := syscall.Kill(proc.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("send %s to %s, process %d: %w", sig, s.name, proc.pid, err)
	}
	return nil
}

// serverEnv is our environment without what would change how a server or what
// it runs behaves: a certificate bundle for AWS keeps Nomad from starting. It
// names the server's folder, which is how Processes knows a process whose
// command line does not.
func serverEnv(dir string) []string {
	var env []string
	for _, kv := range os.Environ() {
		drop := false
		for _, prefix := range []string{"AWS_", "CONSUL_", "HERON_", "NOMAD_", "VAULT_"} {
			drop = drop || strings.HasPrefix(kv, prefix)
		}
		if !drop {
			env = append(env, kv)
		}
	}
	return append(env, "HERON_TEST_SERVER="+dir+"/")
}

// tail is the end of a log, for an error text.
func tail(path string) []byte {
	const limit = 4096
	text, err := os.ReadFile(path)
	if err != nil {
		return []byte(err.Error())
	}
	if len(text) > limit {
		text = text[len(text)-limit:]
	}
	return bytes.TrimSpace(text)
}
