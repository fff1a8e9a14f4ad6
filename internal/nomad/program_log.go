package nomad

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
)

// programBytes is how much is read of the end of a file.
const programBytes = 128 << 10

// Executor and TManager are how the names of the logs of two of a container's
// programs begin.
const (
	Executor = "heron-executor"
	TManager = "heron-tmanager"
)

// programFiles is how many of a program's files are read: each of its lives has
// one, and the last may have said nothing yet.
const programFiles = 3

// ProgramLog reads the end of what a program of a container wrote: its youngest
// files in the container's working directory and its folder of logs, the oldest
// of them first, where that lies in the task's folder. What the executor wrote is
// otherwise the task's standard output. Without any the result has no lines. It
// needs the capability read-fs, and read-logs for the task's output.
func (c *Client) ProgramLog(ctx context.Context, a AllocationRef, program string) (ContainerOutput, error) {
	out := ContainerOutput{Index: a.Index}
	var logs []File // Name is the whole path
	home := fmt.Sprintf("%s/local/container-%d", jobspec.TaskName, a.Index)
	for _, dir := range []string{home, home + "/log-files"} {
		files, err := c.Files(ctx, a.ID, dir)
		if errors.Is(err, ErrNoFile) {
			continue
		}
		if err != nil {
			return out, err
		}
		for _, f := range files {
			if !f.IsDir && !f.Link && f.Size > 0 && isLog(f.Name, program) {
				f.Name = path.Join(dir, f.Name)
				logs = append(logs, f)
			}
		}
	}
	slices.SortFunc(logs, func(a, b File) int { return a.ModTime.Compare(b.ModTime) })
	for _, f := range logs[max(0, len(logs)-programFiles):] {
		data, err := c.ReadFile(ctx, a.ID, f.Name, max(0, f.Size-programBytes), programBytes)
		if err != nil && !errors.Is(err, ErrNoFile) {
			return out, err
		}
		out.From = f.Name
		out.Lines = append(out.Lines, cleanLines(string(data))...)
	}
	if len(logs) == 0 && program == Executor {
		out.From = "standard output"
		out.Lines = c.tail(ctx, "/v1/client/fs/logs/"+a.ID, programBytes, map[string]string{
			"task": jobspec.TaskName, "type": "stdout", "plain": "true", "origin": "end", "offset": strconv.Itoa(tailBytes),
		})
	}
	return out, nil
}

// isLog says whether a file is a log of a program: a note of its process is
// not, and warnings and errors are in its other log too.
func isLog(name, program string) bool {
	return strings.HasPrefix(name, program) && !slices.ContainsFunc([]string{".pid", ".WARNING", ".ERROR", ".FATAL"}, func(part string) bool {
		return strings.Contains(name, part)
	})
}
