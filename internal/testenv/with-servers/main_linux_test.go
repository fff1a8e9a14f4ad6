package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/testenv"
)

// startProgram runs the program in a folder for temporary files of its own and waits
// until its command prints a line.
func startProgram(t *testing.T, script string) (cmd *exec.Cmd, tmp, line string) {
	t.Helper()
	tmp = t.TempDir()
	binary := filepath.Join(t.TempDir(), "with-servers")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	cmd = exec.Command(binary, "sh", "-c", script)
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the command printed nothing: %v", err)
	}
	return cmd, tmp, strings.TrimSpace(line)
}

func code(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}

// noServers waits, for at most a minute, until no server that was started in
// a folder runs.
func noServers(t *testing.T, tmp string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		pids, err := testenv.Processes(tmp)
		if err != nil {
			t.Fatal(err)
		}
		if len(pids) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("processes %v are left", pids)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func noFiles(t *testing.T, tmp string) {
	t.Helper()
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) > 0 {
		t.Errorf("left in the folder for temporary files: %v, %v", left, err)
	}
}

func TestCommandDecidesTheExitCode(t *testing.T) {
	cmd, tmp, line := startProgram(t, "echo $HERON_TEST_ZOOKEEPER $HERON_TEST_NOMAD; exit 7")
	if got := code(t, cmd); got != 7 {
		t.Errorf("exit code %d, want 7", got)
	}
	addrs := strings.Fields(line)
	if len(addrs) != 2 || !strings.HasPrefix(addrs[0], "127.0.0.1:") || !strings.HasPrefix(addrs[1], "http://127.0.0.1:") {
		t.Errorf("addresses of the servers: %q", line)
	}
	noServers(t, tmp)
	noFiles(t, tmp)
}

func TestInterruptStopsTheServers(t *testing.T) {
	cmd, tmp, _ := startProgram(t, "echo up; sleep 600 & sleep 600")
	if pids, err := testenv.Processes(tmp); err != nil || len(pids) < 2 {
		t.Fatalf("processes of two servers: %v, %v", pids, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := code(t, cmd); got != 130 {
		t.Errorf("exit code %d, want 130", got)
	}
	noServers(t, tmp)
	noFiles(t, tmp)
}

func TestServersDieWithTheirStarter(t *testing.T) {
	// cat outlives it too, until its input ends with this test.
	cmd, tmp, _ := startProgram(t, "echo up; exec cat")
	if pids, err := testenv.Processes(tmp); err != nil || len(pids) < 2 {
		t.Fatalf("processes of two servers: %v, %v", pids, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	noServers(t, tmp)
}
