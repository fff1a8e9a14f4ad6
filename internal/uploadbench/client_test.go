package uploadbench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/all"
)

// clientVariable makes this program the client of one upload: "heron" or
// "put-object". Its order comes on standard input.
const clientVariable = "HERON_BENCH_CLIENT"

// order is what a client is to upload, and where to.
type order struct {
	Settings   conf.Upload
	Home       string
	File, Name string
	Size       int64
	SHA256     string
}

func TestMain(m *testing.M) {
	client := os.Getenv(clientVariable)
	if client == "" {
		os.Exit(m.Run())
	}
	err := upload(context.Background(), client, os.Stdin)
	if err == nil {
		err = tellMemory(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// tellMemory prints the most memory that this process had, in KiB. What the
// kernel tells the parent would include the parent's own, from before exec.
func tellMemory(out io.Writer) error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		if words := strings.Fields(line); len(words) == 3 && words[0] == "VmHWM:" {
			_, err := fmt.Fprintln(out, words[1])
			return err
		}
	}
	return errors.New("/proc/self/status has no VmHWM")
}

func upload(ctx context.Context, client string, in io.Reader) error {
	var o order
	if err := json.NewDecoder(in).Decode(&o); err != nil {
		return err
	}
	if client == "put-object" {
		return putObject(ctx, o)
	}
	u, err := all.New(o.Settings, uploader.Options{Home: o.Home, Getenv: os.Getenv})
	if err != nil {
		return err
	}
	_, err = u.Upload(ctx, uploader.Source{
		Name: o.Name, Size: o.Size, SHA256: o.SHA256,
		Open: func() (uploader.Content, error) { return os.Open(o.File) },
	})
	return errors.Join(err, u.Close())
}
