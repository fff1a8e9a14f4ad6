package testenv

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// childAttr puts a server into a process group of its own, so that Ctrl-C on
// the terminal reaches the one who stops it and not the server, and has the
// kernel send it a signal when we die.
func childAttr(onDeath syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: onDeath}
}

// Processes are the ids of the processes that belong to a server's folder:
// those whose command line or environment names a path below it. The calling
// process is never among them.
func Processes(dir string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	below := []byte(dir + "/")
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		// A process that ends meanwhile, or that we may not look at, is not ours.
		args, _ := os.ReadFile("/proc/" + entry.Name() + "/cmdline")
		env, _ := os.ReadFile("/proc/" + entry.Name() + "/environ")
		if bytes.Contains(args, below) || bytes.Contains(env, below) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// killBelow kills every process that belongs to a server's folder and waits
// until none is left.
func killBelow(dir string) error {
	deadline := time.Now().Add(stopTimeout)
	for {
		pids, err := Processes(dir)
		if err != nil || len(pids) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v below %s do not end", pids, dir)
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("kill process %d below %s: %w", pid, dir, err)
			}
		}
		time.Sleep(pollEvery)
	}
}

// unmountBelow takes away the file systems that Nomad, as root, mounts into
// the folders of its tasks, so that the folder can be removed.
func unmountBelow(dir string) error {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return fmt.Errorf("list mounts: %w", err)
	}
	// The kernel writes these characters of a path in octal.
	plain := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for _, line := range slices.Backward(strings.Split(string(mounts), "\n")) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		path := plain.Replace(fields[1])
		if !strings.HasPrefix(path, dir+"/") {
			continue
		}
		if err := syscall.Unmount(path, syscall.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", path, err)
		}
	}
	return nil
}

// paused says whether every thread of a process has stopped.
func paused(pid int) bool {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return false
	}
	for _, task := range tasks {
		// The state is the word behind the name, which is in parentheses and
		// may hold anything. A thread that has ended meanwhile has stopped.
		data, err := os.ReadFile(task)
		if at := bytes.LastIndexByte(data, ')'); err == nil && !bytes.HasPrefix(data[at+1:], []byte(" T")) {
			return false
		}
	}
	return true
}

// descendants are the processes that a process has started, and theirs. The
// children of an SSH server are known by nothing else: they overwrite their
// command line and environment.
func descendants(pid int) []int {
	if pid == 0 {
		return nil
	}
	var all []int
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		// One that has ended meanwhile has no children.
		text, _ := os.ReadFile(file)
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				all = append(all, child)
				all = append(all, descendants(child)...)
			}
		}
	}
	return all
}
