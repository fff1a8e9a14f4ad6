package nomad

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
)

// ContainerOutput is what a container wrote last.
type ContainerOutput struct {
	// Index is the container's.
	Index int `json:"container"`
	// From is "standard error", "standard output", or the path of a log below
	// the allocation's folder.
	From string `json:"from"`
	// Lines are the last ones, the oldest first; blank ones are left out.
	Lines []string `json:"lines"`
}

// Bounds of what is read of a container's output.
const (
	// tailBytes are read at the end of a file.
	tailBytes = 8 << 10
	// lineRunes are kept of a line.
	lineRunes = 300
	// glanceTime is for requests whose answer only makes a message better.
	glanceTime = 5 * time.Second
	// shownLines and shownOutputs are how much a failed wait reads.
	shownLines   = 20
	shownOutputs = 3
)

// LastLines reads the last n lines that a container wrote: to standard error,
// where the start script and Python say why they end, else to the log of its
// executor, where that lies in the task's folder, else to standard output, where
// the executor only lists what it unpacks. Without any the result has no lines.
// It needs the capability read-logs, and read-fs for the executor's log; what may
// not be read counts as not there. It asks each file once, for a few seconds.
func (c *Client) LastLines(ctx context.Context, a AllocationRef, n int) ContainerOutput {
	out := ContainerOutput{Index: a.Index, From: "standard error", Lines: c.streamTail(ctx, a, "stderr", n)}
	if len(out.Lines) == 0 {
		out = c.executorTail(ctx, a, n)
	}
	if len(out.Lines) == 0 {
		out.From, out.Lines = "standard output", c.streamTail(ctx, a, "stdout", n)
	}
	if len(out.Lines) == 0 {
		out.From = ""
	}
	return out
}

// streamTail are the last lines of what a container's task wrote to a stream.
func (c *Client) streamTail(ctx context.Context, a AllocationRef, stream string, n int) []string {
	return c.tail(ctx, "/v1/client/fs/logs/"+a.ID, n, map[string]string{
		"task": jobspec.TaskName, "type": stream, "plain": "true", "origin": "end", "offset": strconv.Itoa(tailBytes),
	})
}

// executorTail are the last lines of the executor's log.
func (c *Client) executorTail(ctx context.Context, a AllocationRef, n int) ContainerOutput {
	path := fmt.Sprintf("%s/local/container-%d/heron-executor-%d.stdout", jobspec.TaskName, a.Index, a.Index)
	var info api.AllocFileInfo
	err := c.glance(ctx, func(q *api.QueryOptions) error {
		q.Params = map[string]string{"path": path}
		_, err := c.api.Raw().Query("/v1/client/fs/stat/"+a.ID, &info, q)
		return err
	})
	out := ContainerOutput{Index: a.Index}
	if err == nil {
		out.From, out.Lines = path, c.tail(ctx, "/v1/client/fs/readat/"+a.ID, n, map[string]string{
			"path": path, "offset": strconv.FormatInt(max(0, info.Size-tailBytes), 10), "limit": strconv.Itoa(tailBytes),
		})
	}
	return out
}

// tail are the last n lines of what a request answers with, none where it
// fails.
func (c *Client) tail(ctx context.Context, endpoint string, n int, params map[string]string) (lines []string) {
	var data []byte
	err := c.glance(ctx, func(q *api.QueryOptions) error {
		q.Params = params
		r, err := c.api.Raw().Response(endpoint, q)
		if err != nil {
			return err
		}
		defer func() { _ = r.Close() }()
		data, err = io.ReadAll(io.LimitReader(r, 2*tailBytes))
		return err
	})
	if err != nil {
		return nil
	}
	lines = tellingLines(cleanLines(string(data)))
	return lines[max(0, len(lines)-n):]
}

// tellingLines leaves out what the executor writes whenever it ends, after what
// it ended for: its handler of SIGTERM ends it once more while it is ending,
// which Python reports. What unzip says of every pex goes as well.
func tellingLines(lines []string) []string {
	lines = slices.DeleteFunc(lines, func(line string) bool {
		return strings.Contains(line, "extra bytes at beginning or within zipfile") || line == "(attempting to process anyway)"
	})
	for i, line := range lines {
		if strings.HasPrefix(line, "Exception ignored in atexit callback: <function setup") || strings.HasPrefix(line, "Error in atexit._run_exitfuncs") {
			lines = lines[:i]
			break
		}
	}
	for len(lines) > 0 && slices.ContainsFunc([]string{
		"Executor terminated; exiting all process in executor.", "signal_handler invoked with signal", "Stopping state managers",
	}, func(farewell string) bool { return strings.Contains(lines[len(lines)-1], farewell) }) {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// cleanLines are the lines of a text, without blank ones and secrets, and not
// too long.
func cleanLines(text string) (lines []string) {
	for line := range strings.Lines(strings.ToValidUTF8(text, "�")) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, shortened(unsigned(line)))
		}
	}
	return lines
}

func shortened(line string) string {
	if utf8.RuneCountInString(line) <= lineRunes {
		return line
	}
	return string([]rune(line)[:lineRunes]) + "…"
}

// glance makes one attempt of a request that is not important.
func (c *Client) glance(ctx context.Context, do func(*api.QueryOptions) error) error {
	bounded, cancel := context.WithTimeout(ctx, min(c.timeout, glanceTime))
	defer cancel()
	return do((&api.QueryOptions{}).WithContext(bounded))
}

// addOutput reads what failed containers wrote last, and ends the reasons with
// it.
func (c *Client) addOutput(ctx context.Context, reasons []reason) (all []ContainerOutput) {
	for i, r := range reasons {
		if r.failed == nil || len(all) == shownOutputs {
			continue
		}
		out := c.LastLines(ctx, ref(r.failed), shownLines)
		if len(out.Lines) == 0 {
			continue
		}
		all = append(all, out)
		reasons[i].text += fmt.Sprintf("; the last line of its %s: %s", out.From, out.Lines[len(out.Lines)-1])
	}
	return all
}
