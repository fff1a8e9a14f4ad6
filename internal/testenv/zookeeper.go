package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ZooKeeper is the host:port of a real ZooKeeper: the one that
// HERON_TEST_ZOOKEEPER names, which other tests use at the same time, else one
// of this test's own, stopped when it ends. A test keeps to a root path of its
// own.
func ZooKeeper(t testing.TB) string {
	t.Helper()
	if addr := os.Getenv("HERON_TEST_ZOOKEEPER"); addr != "" {
		return addr
	}
	return ownServer(t, StartZooKeeper).Addr
}

// ownServer runs a server for one test.
func ownServer(t testing.TB, start func(context.Context, string) (*Server, error)) *Server {
	t.Helper()
	s, err := start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// StartZooKeeper runs a ZooKeeper with its data in dir, which must exist. It
// keeps its data over Kill and Restart. Session timeouts from 1 s to 60 s are
// granted as asked for.
func StartZooKeeper(ctx context.Context, dir string) (*Server, error) {
	block, err := reservePorts(14000, 16000, 2, 1)
	if err != nil {
		return nil, fmt.Errorf("start ZooKeeper: %w", err)
	}
	return startZooKeeper(ctx, dir, onLoopback(), block, "")
}

// ZooKeeperWithLimit is a ZooKeeper of the test's own that accepts requests up to
// a size in bytes: its jute.maxbuffer.
func ZooKeeperWithLimit(t testing.TB, limit int) *Server {
	t.Helper()
	return ownServer(t, func(ctx context.Context, dir string) (*Server, error) {
		block, err := reservePorts(14000, 16000, 2, 1)
		if err != nil {
			return nil, fmt.Errorf("start ZooKeeper: %w", err)
		}
		return startZooKeeper(ctx, dir, onLoopback(), block, "", fmt.Sprintf("-Djute.maxbuffer=%d", limit))
	})
}

// startZooKeeper uses the block's first port; config is put at the end of the
// server's configuration, and jvm are more options of Java's.
func startZooKeeper(ctx context.Context, dir string, where place, block *portBlock, config string, jvm ...string) (*Server, error) {
	java, classes, err := findZooKeeper()
	addr := net.JoinHostPort(where.host, strconv.Itoa(block.port(0)))
	if err == nil {
		err = writeZooKeeperConfig(dir, addr, config)
	}
	if err != nil {
		block.release()
		return nil, fmt.Errorf("start ZooKeeper: %w", err)
	}
	s := &Server{
		Addr: addr,
		Dir:  dir,
		name: "ZooKeeper",
		argv: where.wrap(slices.Concat([]string{
			java, "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
			// A crash of the process loses nothing without syncing to disk.
			"-Dzookeeper.forceSync=no",
			"-Dzookeeper.jmx.log4j.disable=true",
		}, jvm, []string{
			"-cp", filepath.Join(dir, "conf") + ":" + classes,
			"org.apache.zookeeper.server.quorum.QuorumPeerMain", filepath.Join(dir, "conf", "zoo.cfg"),
		})),
		env:         serverEnv(dir),
		block:       block,
		ready:       func(ctx context.Context) error { return askZooKeeper(ctx, where, addr) },
		deathSignal: syscall.SIGKILL,
	}
	if err := s.start(ctx); err != nil {
		_ = s.discard()
		return nil, err
	}
	return s, nil
}

// findZooKeeper is where Debian's package puts it. The jar's manifest names
// the other jars, but not all of those that TLS takes.
func findZooKeeper() (java, classes string, err error) {
	const (
		jar = "/usr/share/java/zookeeper.jar"
		tls = "/usr/share/java/netty-codec.jar:/usr/share/java/netty-resolver.jar"
	)
	if _, err := os.Stat(jar); err != nil {
		return "", "", fmt.Errorf("find ZooKeeper: %w; apt-get install zookeeper", err)
	}
	if java, err = exec.LookPath("java"); err != nil {
		return "", "", fmt.Errorf("find java for ZooKeeper: %w; apt-get install default-jre-headless", err)
	}
	return java, jar + ":" + tls, nil
}

func writeZooKeeperConfig(dir, addr, more string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	zoo := fmt.Sprintf(`dataDir=%s
clientPort=%s
clientPortAddress=%s
admin.enableServer=false
4lw.commands.whitelist=*
maxClientCnxns=0
tickTime=500
minSessionTimeout=1000
maxSessionTimeout=60000
%s`, filepath.Join(dir, "data"), port, host, more)
	// Which of the two is read depends on the version of the package.
	log4j := `log4j.rootLogger=WARN, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d %p %c: %m%n
`
	logback := `<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d %p %c: %m%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="out"/></root>
</configuration>
`
	files := map[string]string{"zoo.cfg": zoo, "log4j.properties": log4j, "logback.xml": logback}
	for _, sub := range []string{"conf", "data"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return err
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, "conf", name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// askZooKeeper fails until the server serves requests, which is later than it
// accepts connections.
func askZooKeeper(ctx context.Context, where place, addr string) error {
	answer, err := srvr(ctx, where, addr)
	if err != nil {
		return err
	}
	if !strings.Contains(answer, "Mode: ") {
		return errors.New(strings.TrimSpace(answer))
	}
	return nil
}

// srvr is what the server says about itself.
func srvr(ctx context.Context, where place, addr string) (string, error) {
	dctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := where.dial(dctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, "srvr"); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}
