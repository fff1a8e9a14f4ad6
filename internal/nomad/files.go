package nomad

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// ErrNoFile says that the allocation has no file or folder of that path, or that
// Nomad knows no such allocation any more.
var ErrNoFile = errors.New("no such file")

// File is an entry of a folder.
type File struct {
	Name    string
	Size    int64
	IsDir   bool
	ModTime time.Time
	// Link says that it is a symbolic link; Size is then the link's own.
	Link bool
}

// Files lists a folder of an allocation, by its path below the allocation's
// own. A folder that is not there is ErrNoFile.
func (c *Client) Files(ctx context.Context, allocation, path string) (list []File, err error) {
	err = c.file(ctx, fmt.Sprintf("list folder %s of allocation %s", path, allocation), "ls", allocation, map[string]string{"path": path},
		func(body io.Reader) error {
			var entries []api.AllocFileInfo
			if err := json.NewDecoder(body).Decode(&entries); err != nil {
				return err
			}
			list = make([]File, len(entries))
			for i, e := range entries {
				list[i] = File{Name: e.Name, Size: e.Size, IsDir: e.IsDir, ModTime: e.ModTime, Link: strings.HasPrefix(e.FileMode, "L")}
			}
			return nil
		})
	return list, err
}

// ReadFile reads at most limit bytes of a file of an allocation from an offset,
// fewer where the file ends before. A file that is not there is ErrNoFile.
func (c *Client) ReadFile(ctx context.Context, allocation, path string, offset, limit int64) (data []byte, err error) {
	params := map[string]string{"path": path, "offset": strconv.FormatInt(offset, 10), "limit": strconv.FormatInt(limit, 10)}
	err = c.file(ctx, fmt.Sprintf("read %s of allocation %s", path, allocation), "readat", allocation, params, func(body io.Reader) (err error) {
		data, err = io.ReadAll(io.LimitReader(body, limit))
		return err
	})
	return data, err
}

// file makes one request to the file system of an allocation, and repeats it
// through failures that pass.
func (c *Client) file(ctx context.Context, what, action, allocation string, params map[string]string, read func(io.Reader) error) error {
	return c.persist(ctx, what, func(bounded context.Context) (verdict, error) {
		gone := false
		v, err := c.ask(ctx, bounded, what, readFS, func(q *api.QueryOptions) error {
			q.Params = params
			body, err := c.api.Raw().Response("/v1/client/fs/"+action+"/"+url.PathEscape(allocation), q)
			if err != nil {
				gone = noFile(err)
				return err
			}
			defer func() { _ = body.Close() }()
			return read(body)
		})
		if gone {
			return lasting, fmt.Errorf("%w: %w", ErrNoFile, err)
		}
		return v, err
	})
}

// noFile says whether an error is about a file or an allocation that is not
// there. The status alone does not tell: it is 404 or 500, depending on the
// request and on the version of Nomad.
func noFile(err error) bool {
	var answer api.UnexpectedResponseError
	if !errors.As(err, &answer) {
		return false
	}
	body := strings.ToLower(answer.Body())
	for _, mark := range []string{"no such file or directory", "file does not exist", "not a directory", "unknown allocation", "alloc not found", "allocation not found"} {
		if strings.Contains(body, mark) {
			return true
		}
	}
	return false
}

// PortAddress is the address on its node, "host:port", of a port of an
// allocation by the port's label; "" where it has none.
func (c *Client) PortAddress(ctx context.Context, allocation, label string) (string, error) {
	var alloc *api.Allocation
	err := c.read(ctx, "read allocation "+allocation, readJob, func(q *api.QueryOptions) (err error) {
		alloc, _, err = c.api.Allocations().Info(allocation, q)
		return err
	})
	if err != nil || alloc.AllocatedResources == nil {
		return "", err
	}
	for _, p := range alloc.AllocatedResources.Shared.Ports {
		if p.Label == label {
			return net.JoinHostPort(p.HostIP, strconv.Itoa(p.Value)), nil
		}
	}
	// The original client's jobs ask for their ports in the task.
	for _, task := range alloc.AllocatedResources.Tasks {
		for _, n := range task.Networks {
			for _, p := range append(n.DynamicPorts, n.ReservedPorts...) {
				if p.Label == label {
					return net.JoinHostPort(n.IP, strconv.Itoa(p.Value)), nil
				}
			}
		}
	}
	return "", nil
}
