// Command measure runs a program and reports what it took:
//
//	measure REPORT PROGRAM [ARGUMENT...]
//
// writes to the file REPORT the wall time and the processor time in
// microseconds, and the peak memory in KiB, with blanks between. It ends with
// the program's exit code.
//
// It imports little, because its own memory is the least that it can report.
package main

import (
	"os"
	"strconv"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) < 3 {
		fail("usage: measure REPORT PROGRAM [ARGUMENT...]")
	}
	begin := time.Now()
	pid, err := syscall.ForkExec(os.Args[2], os.Args[2:], &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}})
	if err != nil {
		fail("measure: run " + os.Args[2] + ": " + err.Error())
	}
	var status syscall.WaitStatus
	var usage syscall.Rusage
	for {
		_, err = syscall.Wait4(pid, &status, 0, &usage)
		if err != syscall.EINTR {
			break
		}
	}
	wall := time.Since(begin)
	if err != nil {
		fail("measure: wait: " + err.Error())
	}
	processor := (usage.Utime.Nano() + usage.Stime.Nano()) / 1000
	report := number(wall.Microseconds()) + " " + number(processor) + " " + number(int64(usage.Maxrss)) + "\n"
	if err := os.WriteFile(os.Args[1], []byte(report), 0o600); err != nil {
		fail("measure: " + err.Error())
	}
	if !status.Exited() {
		os.Exit(128 + int(status.Signal()))
	}
	os.Exit(status.ExitStatus())
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func fail(text string) {
	_, _ = os.Stderr.WriteString(text + "\n")
	os.Exit(125)
}
