// Package heronshell asks heron-shell, the small web server beside each
// container's processes, for files of the container's working directory. It
// knows requests and answers; callers decide what to read.
package heronshell

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
)

var (
	// ErrUnreachable says that there is no usable answer.
	ErrUnreachable = outcome.New(outcome.Unreachable, "heron-shell does not answer")
	// ErrNoFile says that there is no such file or folder.
	ErrNoFile = errors.New("no such file")
)

const (
	// timeout bounds one request.
	timeout = 10 * time.Second
	// listLimit bounds the list of a folder.
	listLimit = 16 << 20
	// growth is how much longer than its bytes the text of a slice can be in
	// JSON: a byte that cannot be decoded becomes "\ufffd".
	growth = 6
)

// Options are for New.
type Options struct {
	// Dial, unless nil, is the way to the nodes: it connects to an address as
	// net.Dialer's DialContext does.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Client asks heron-shells. It is safe for concurrent use.
type Client struct{ http *http.Client }

// New makes a client; it connects to nothing.
func New(o Options) *Client {
	dial := o.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: timeout}).DialContext
	}
	return &Client{http: &http.Client{
		Timeout:   timeout,
		Transport: &http.Transport{DialContext: dial, MaxIdleConns: 64, MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second},
	}}
}

// Close ends connections that are not used.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// File is an entry of a folder.
type File struct {
	Name  string
	Size  int64
	IsDir bool
}

// Files lists a folder, by its path below the working directory, of the
// container whose heron-shell is at an address.
func (c *Client) Files(ctx context.Context, at, folder string) ([]File, error) {
	var entries map[string]struct {
		Stat  string `json:"formatted_stat"`
		IsDir bool   `json:"is_dir"`
	}
	if err := c.get(ctx, at, "/filestats/", folder, nil, listLimit, &entries); err != nil {
		return nil, err
	}
	list := make([]File, 0, len(entries))
	for name, e := range entries {
		if name == ".." {
			continue
		}
		size, err := statSize(e.Stat)
		if err != nil {
			return nil, fmt.Errorf("heron-shell at %s: %s: %w", at, name, err)
		}
		list = append(list, File{Name: name, Size: size, IsDir: e.IsDir})
	}
	return list, nil
}

// statSize is the size in a line like that of "ls -l", without the name: mode,
// links, user, group, size, and the date in three words. A user's name may have
// blanks, so the words are counted from the end.
func statSize(line string) (int64, error) {
	words := strings.Fields(line)
	if len(words) < 8 {
		return 0, fmt.Errorf("%q is not understood", line)
	}
	size, err := strconv.ParseInt(words[len(words)-4], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not understood: %w", line, err)
	}
	return size, nil
}

// Text reads the bytes of a file from offset on, as text: what is not UTF-8,
// and a character that is cut off at either end, is U+FFFD. length is in
// bytes. How many were read, the answer does not tell: it counts characters,
// escaped ones several times. So read what Files says is there.
func (c *Client) Text(ctx context.Context, at, file string, offset, length int64) (string, error) {
	query := url.Values{"offset": {strconv.FormatInt(offset, 10)}, "length": {strconv.FormatInt(length, 10)}}
	var slice struct{ Data string }
	if err := c.get(ctx, at, "/filedata/", file, query, growth*length+1024, &slice); err != nil {
		return "", err
	}
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(slice.Data), nil
}

// get asks for a document.
func (c *Client) get(ctx context.Context, at, action, path string, query url.Values, limit int64, document any) error {
	fail := func(err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var outer *url.Error // it repeats the address
		if errors.As(err, &outer) {
			err = outer.Err
		}
		return fmt.Errorf("%w at %s: %w", ErrUnreachable, at, err)
	}
	u := url.URL{Scheme: "http", Host: at, Path: action + path, RawQuery: query.Encode()}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fail(err)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusInternalServerError:
		// The second is what a folder that is not there leads to.
		return fmt.Errorf("%w: %s, says heron-shell at %s (%s)", ErrNoFile, path, at, resp.Status)
	default:
		return fail(fmt.Errorf("it answers %s to %s", resp.Status, u.Path))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	if err != nil {
		return fail(err)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		// What a slice of a file that is not there leads to.
		return fmt.Errorf("%w: %s, says heron-shell at %s", ErrNoFile, path, at)
	}
	if err := json.Unmarshal(body, document); err != nil {
		return fail(fmt.Errorf("its answer to %s is not understood: %w", u.Path, err))
	}
	return nil
}
