package conf

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSCPUpload(t *testing.T) {
	const scp = "heron.class.uploader=org.apache.heron.uploader.scp.ScpUploader"
	for label, c := range map[string]struct {
		lines []string
		want  SCPUpload
	}{
		"one host": {
			[]string{"heron.uploader.scp.command.connection=user@host", "heron.uploader.scp.dir.path=/packages"},
			SCPUpload{Hosts: []string{"user@host"}, Dir: "/packages"},
		},
		"as the original has it": {
			[]string{
				"heron.uploader.scp.command.options=-i /id -P 2022", "heron.uploader.scp.command.connection=user@host",
				"heron.uploader.ssh.command.options=-i /id -p 2022", "heron.uploader.ssh.command.connection=user@host",
				"heron.uploader.scp.dir.path=${HOME}/p/${CLUSTER}",
			},
			SCPUpload{Hosts: []string{"user@host"}, Options: "-i /id -P 2022", SSHOptions: "-i /id -p 2022", Dir: "/home/alice/p/nomad"},
		},
		"several": {
			[]string{"heron.uploader.scp.command.connection=a, b  c,d", "heron.uploader.ssh.command.connection=d c b a", "heron.uploader.scp.dir.path=/p"},
			SCPUpload{Hosts: []string{"a", "b", "c", "d"}, Dir: "/p"},
		},
		"by ssh alone": {
			[]string{"heron.uploader.ssh.command.connection=user@nomad", "heron.uploader.scp.dir.path=/p"},
			SCPUpload{Hosts: []string{"user@nomad"}, Dir: "/p"},
		},
	} {
		s, err := resolved(t, with(nil), append(c.lines, scp)...).Settings()
		if err != nil {
			t.Errorf("%s: %v", label, err)
			continue
		}
		if diff := cmp.Diff(c.want, s.Upload.SCP); diff != "" {
			t.Errorf("%s: %s", label, diff)
		}
	}
	for want, lines := range map[string][]string{
		"command.connection: is not set":                         nil,
		"ssh.command.connection: names other hosts":              {"heron.uploader.scp.command.connection=a", "heron.uploader.ssh.command.connection=b"},
		"heron.uploader.scp.dir.path: p is not an absolute path": {"heron.uploader.scp.command.connection=a", "heron.uploader.scp.dir.path=p"},
	} {
		_, err := resolved(t, with(nil), append(lines, scp)...).Settings()
		wantError(t, want, err)
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
