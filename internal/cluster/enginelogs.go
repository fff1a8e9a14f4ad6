package cluster

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/lazyregexp"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// What the engine's programs write into their logs.
var (
	// processEnded is the executor's line about a process that has ended; the
	// status is the one of wait(2).
	processEnded = lazyregexp.New(`(\S+) \(pid=\d+\) exited with status (-?\d+)`)
	// tmanagerBegins is the first line of a TManager.
	tmanagerBegins = lazyregexp.New(`Starting tmanager for topology`)
	// tmanagerRuns is the executor's line about a TManager that it starts.
	tmanagerRuns = lazyregexp.New(`Running heron-tmanager process`)
	// planChanged is the executor's line about a packing plan that it has not
	// seen before, and exitForPlan in a TManager's last ones, which it ends with
	// when that happens while it runs.
	planChanged = lazyregexp.New(`PackingPlan change detected`)
	exitForPlan = lazyregexp.New(`(?i)packing ?plan (?:has )?changed`)
	// stmgrRegisters and stmgrLeaves are the TManager's about stream managers.
	stmgrRegisters = lazyregexp.New(`register (?:stream manager|stmgr) request from (stmgr-\d+)`)
	stmgrLeaves    = lazyregexp.New(`(stmgr-\d+) disconnected`)
	// fatal is in lines that end a program.
	fatal = lazyregexp.New(`^F\d{4} |Check failed`)
	// numbers are what differs in lines that are written again and again.
	numbers = lazyregexp.New(`[0-9]+`)
	// matters is in lines that say what is wrong; those of glog begin with E or F.
	matters = lazyregexp.New(`^[EF]\d{4} |(?i:check failed|fatal|error|exiting|already exists|\blost\b|cannot|could not|refused|failed|mismatch|not expecting)`)
)

// shownLines is how many lines of a log are shown.
const shownLines = 10

// lastThatMatter are the last lines that say what is wrong. Of lines in a row
// that differ only in numbers, as in their times, it is the last.
func lastThatMatter(lines []string) (last []string) {
	said := ""
	for _, line := range lines {
		if !unexpected(line) {
			continue
		}
		now := numbers.ReplaceAllString(line, "")
		if now == said {
			last[len(last)-1] = line
			continue
		}
		said = now
		last = append(last, line)
	}
	return last[max(0, len(last)-shownLines):]
}

// unexpected says that a line says what is wrong. That a TManager ends when the
// packing plan has changed is how it takes the new one.
func unexpected(line string) bool {
	return matters.MatchString(line) && !exitForPlan.MatchString(line)
}

// shownRuns is how many lives of a TManager are looked at: after one that died
// of something, the next ones may only wait for its registration to expire.
const shownRuns = 3

// lastRuns are the lines of the last TManagers.
func lastRuns(lines []string) []string {
	begins := 0
	for i, line := range slices.Backward(lines) {
		if tmanagerBegins.MatchString(line) {
			if begins++; begins == shownRuns {
				return lines[i:]
			}
		}
	}
	return lines
}

// gravest is the last line by which a program has ended itself, or else the last
// of all.
func gravest(lines []string) string {
	for _, line := range slices.Backward(lines) {
		if fatal.MatchString(line) {
			return line
		}
	}
	return lines[len(lines)-1]
}

// linesOf are the lines of an executor's log about a process.
func linesOf(lines []string, process string) (own []string) {
	for _, line := range lines {
		if strings.Contains(line, process) {
			own = append(own, line)
		}
	}
	return own
}

// unregistered are the containers whose stream managers have not registered
// with the TManager that began last, all where it does not say.
func unregistered(packed []int, log []string) []int {
	here := map[string]bool{}
	for _, line := range log {
		switch {
		case tmanagerBegins.MatchString(line):
			clear(here)
		case stmgrRegisters.MatchString(line):
			here[stmgrRegisters.FindStringSubmatch(line)[1]] = true
		case stmgrLeaves.MatchString(line):
			delete(here, stmgrLeaves.FindStringSubmatch(line)[1])
		}
	}
	missing := []int{}
	for _, index := range packed {
		if !here["stmgr-"+strconv.Itoa(index)] {
			missing = append(missing, index)
		}
	}
	return missing
}

// restartsIn counts the ends of processes in an executor's log, by process in
// the order of their last end. It leaves out one end of the TManager for each
// change of the packing plan that the executor saw while that ran, or before it
// started the next: both see it at the same time.
func restartsIn(log nomad.ContainerOutput) (all []ProcessRestarts) {
	// ended is the end of the TManager that no other has followed yet.
	runs, due, ended := true, false, ""
	count := func(process, status string) {
		r := ProcessRestarts{Container: log.Index, Process: process, Times: 1, Status: statusText(status)}
		if i := slices.IndexFunc(all, func(r ProcessRestarts) bool { return r.Process == process }); i >= 0 {
			r.Times += all[i].Times
			all = slices.Delete(all, i, i+1)
		}
		all = append(all, r)
	}
	settle := func() {
		if ended != "" {
			count(nomad.TManager, ended)
		}
		ended = ""
	}
	for _, line := range log.Lines {
		m := processEnded.FindStringSubmatch(line)
		switch {
		case planChanged.MatchString(line) && ended == exitedForPlan:
			ended = ""
		case planChanged.MatchString(line):
			due = runs
		case tmanagerRuns.MatchString(line):
			settle()
			runs, due = true, false
		case m == nil:
		case m[1] != nomad.TManager:
			settle()
			count(m[1], m[2])
		case due && m[2] == exitedForPlan:
			runs, due = false, false
		default:
			settle()
			runs, due, ended = false, false, m[2]
		}
	}
	settle()
	return all
}

// exitedForPlan is the status of wait(2) of a TManager that ends because the
// packing plan has changed: exit code 1.
const exitedForPlan = "256"

// statusText words a status of wait(2).
func statusText(text string) string {
	status, err := strconv.Atoi(text)
	if err != nil {
		return "status " + text
	}
	if signal := status & 0x7f; signal != 0 {
		return fmt.Sprintf("signal %d", signal)
	}
	return fmt.Sprintf("exit code %d", status>>8)
}

func packingPlan(n statemgr.Node) (*heronpb.PackingPlan, error) {
	plan := &heronpb.PackingPlan{}
	return plan, proto.Unmarshal(n.Data, plan)
}
