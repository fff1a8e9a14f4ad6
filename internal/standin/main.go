package standin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// Exit codes. The real executor ends with the signal's number.
const (
	exitFailed = 1
	exitUsage  = 2
)

// Main is any program of the stand-in core, by the name in args[0], and
// returns its exit code. Working directory, environment and signals are the
// process's.
func Main(args []string, stdout io.Writer) int {
	name := filepath.Base(args[0])
	if len(args) > 1 && args[1] == "--version" {
		_, _ = fmt.Fprintln(stdout, Notice)
		return 0
	}
	var err error
	switch name {
	case "heron-executor":
		return executorMain(args, stdout)
	case "heron-tmanager":
		return tmanagerMain(args, stdout)
	case "heron-downloader":
		err = downloaderMain(args[1:])
	default:
		err = fmt.Errorf("%s does nothing in the stand-in core", name)
	}
	if err != nil {
		newLogger(stdout).Printf("%s: %v", name, err)
		return exitFailed
	}
	return 0
}

func executorMain(args []string, stdout io.Writer) int {
	usage := func(err error) int {
		newLogger(stdout).Printf("heron-executor: %v", err)
		return exitUsage
	}
	f, err := parseExecutorFlags(args[1:])
	if err != nil {
		return usage(err)
	}
	k, err := readKnobs(args[0])
	if err != nil {
		return usage(err)
	}
	file, err := openLog(fmt.Sprintf("heron-executor-%d.stdout", f.shard()))
	if err != nil {
		return usage(err)
	}
	defer file.Close()
	logger := newLogger(io.MultiWriter(stdout, file))
	logger.Printf("heron-executor of container %d, topology %s", f.shard(), f["topology-id"])
	if k.fails(failAtStart, f.shard()) {
		logger.Print("Exiting: HERON_STANDIN_FAIL asks for it")
		return exitFailed
	}
	var ignored func()
	if k.fails(failIgnoreTerm, f.shard()) {
		ignored = func() { logger.Print("Ignoring a signal: HERON_STANDIN_FAIL asks for it") }
	}
	caught := catchSignals(ignored)
	err = execute(caught.ctx, f, k, logger)
	if n := caught.number(); n != 0 {
		logger.Printf("signal_handler invoked with signal %d", n)
		return n
	}
	logger.Printf("Executor terminated: %v", err)
	return exitFailed
}

func execute(ctx context.Context, f flags, k knobs, logger *log.Logger) error {
	if err := writePID(fmt.Sprintf("heron-executor-%d", f.shard()), os.Getpid()); err != nil {
		return err
	}
	found, err := inspect(f)
	if err != nil {
		return err
	}
	connection := found.state.connection
	if !found.state.zooKeeper {
		connection = localMode
	}
	s, err := openState(ctx, connection, found.state.root, k.sessionTimeout, logger)
	if err != nil {
		return err
	}
	defer s.close()
	e := &executor{flags: f, setup: found, knobs: k, state: s, log: logger, host: hostName(resolves)}
	return e.run(ctx)
}

func resolves(name string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_, err := net.DefaultResolver.LookupHost(ctx, name)
	return err == nil
}

func tmanagerMain(args []string, stdout io.Writer) int {
	t, err := parseTManagerFlags(args[1:])
	if err == nil {
		t.knobs, err = readKnobs(args[0])
	}
	if err != nil {
		newLogger(stdout).Printf("heron-tmanager: %v", err)
		return exitUsage
	}
	file, err := openGlog("log-files", "heron-tmanager-"+t.topologyID)
	if err != nil {
		newLogger(stdout).Printf("heron-tmanager: %v", err)
		return exitFailed
	}
	defer file.Close()
	t.log = newLogger(io.MultiWriter(stdout, file))
	t.log.Printf("Starting tmanager for topology %s with topology id %s", t.topology, t.topologyID)
	go func() {
		// The executor's end, even by SIGKILL, closes this pipe.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(exitFailed)
	}()
	caught := catchSignals(nil)
	if err := t.run(caught.ctx); err != nil {
		t.log.Printf("Exiting: %v", err)
		return exitFailed
	}
	return caught.number()
}

// signals is a context that SIGTERM and SIGINT end, and which of them did.
type signals struct {
	ctx context.Context
}

type signalled struct{ syscall.Signal }

func (s signalled) Error() string { return s.String() }

// catchSignals calls ignored in place of ending the context, unless it is nil.
func catchSignals(ignored func()) signals {
	ctx, cancel := context.WithCancelCause(context.Background())
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		for s := range c {
			n, ok := s.(syscall.Signal)
			switch {
			case ok && ignored != nil:
				ignored()
			case ok:
				cancel(signalled{n})
			}
		}
	}()
	return signals{ctx: ctx}
}

// number is the signal's, 0 where none came.
func (s signals) number() int {
	var got signalled
	if errors.As(context.Cause(s.ctx), &got) {
		return int(got.Signal)
	}
	return 0
}
