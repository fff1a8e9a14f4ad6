package scp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/pkg/sftp"

	"github.com/heron-nomad/heron/internal/sshclient"
	"github.com/heron-nomad/heron/internal/uploader"
)

const (
	// sftpPacket is what every server takes in one write; those of OpenSSH
	// take more.
	sftpPacket    = 32 << 10
	opensshPacket = 128 << 10
	// sftpAnswer bounds how long a host that fails may take to say that it is
	// there.
	sftpAnswer = 5 * time.Second
)

// session is a connection to one host. It ends with its context.
type session struct {
	host *host
	ssh  *sshclient.Client
	*sftp.Client
	packet int
	stop   func() bool
}

// sshError is an error of the SSH client and what it means here.
type sshError struct{ kind, err error }

func (e *sshError) Error() string   { return e.err.Error() }
func (e *sshError) Unwrap() []error { return []error{e.kind, e.err} }

// open logs in to a host.
func (s *Uploader) open(ctx context.Context, h *host) (*session, error) {
	select {
	case s.logIns <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("connect to %s: %w", h, ctx.Err())
	}
	ssh, err := sshclient.Dial(ctx, h.target, s.ssh)
	<-s.logIns
	uploader.Working(ctx)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, fmt.Errorf("connect to %s: %w", h, ctx.Err())
	case errors.Is(err, sshclient.ErrHostKey), errors.Is(err, sshclient.ErrAuth):
		return nil, &sshError{uploader.ErrDenied, err}
	case errors.Is(err, sshclient.ErrUnreachable):
		return nil, &sshError{uploader.ErrUnreachable, err}
	default:
		return nil, inputError("heron.uploader.scp.command.connection", err)
	}
	c := &session{host: h, ssh: ssh, packet: sftpPacket}
	if strings.Contains(string(ssh.SSH().ServerVersion()), "OpenSSH") {
		c.packet = opensshPacket
	}
	c.stop = context.AfterFunc(ctx, func() { _ = ssh.Close() })
	if c.Client, err = c.channel(); err != nil {
		defer c.close()
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("connect to %s: %w", h, ctx.Err())
		case !c.alive():
			return nil, fmt.Errorf("connect to %s: %w: %w", h, uploader.ErrUnreachable, err)
		}
		var said *chatterError
		if errors.As(err, &said) {
			return nil, fmt.Errorf("%w: %s %w", uploader.ErrTarget, h, said)
		}
		return nil, fmt.Errorf("%w: %s does not offer SFTP: %w; its SSH server needs a line \"Subsystem sftp\"", uploader.ErrTarget, h, err)
	}
	return c, nil
}

func (c *session) close() {
	c.stop()
	_ = c.ssh.Close()
}

// channel opens an SFTP channel. It ends with the connection.
func (c *session) channel() (*sftp.Client, error) {
	session, err := c.ssh.SSH().NewSession()
	if err != nil {
		return nil, err
	}
	in, err := session.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := session.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := session.RequestSubsystem("sftp"); err != nil {
		_ = session.Close()
		return nil, err
	}
	heard := newBeginning(out)
	client, err := sftp.NewClientPipe(heard, in, sftp.MaxPacketUnchecked(c.packet), sftp.UseConcurrentReads(true))
	if err != nil {
		_ = session.Close()
		return nil, heard.explain(err)
	}
	return client, nil
}

// alive asks the host for a sign of life.
func (c *session) alive() bool {
	answer := make(chan error, 1)
	go func() {
		_, _, err := c.ssh.SSH().SendRequest("keepalive@openssh.com", true, nil)
		answer <- err
	}()
	timer := time.NewTimer(sftpAnswer)
	defer timer.Stop()
	select {
	case err := <-answer:
		return err == nil
	case <-timer.C:
		return false
	}
}

// failed says what an error means: that of the context, a lost connection, or
// the host's refusal, with what to do about it. SFTP itself tells little.
func (c *session) failed(ctx context.Context, verb, file string, err error) error {
	what := fmt.Sprintf("%s %s on %s", verb, file, c.host)
	var status *sftp.StatusError
	refused := errors.As(err, &status) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", what, ctx.Err())
	case !refused && !c.alive():
		return fmt.Errorf("%s: %w: %w", what, uploader.ErrUnreachable, err)
	}
	hint := "check the folder, or set heron.uploader.scp.dir.path to another"
	if errors.Is(err, fs.ErrPermission) {
		hint = "the user must be able to write there"
	}
	if reason := c.diskProblem(file); reason != "" {
		hint = reason + ": make room there, or set heron.uploader.scp.dir.path to another folder"
	}
	return fmt.Errorf("%w: %s: %w; %s", uploader.ErrTarget, what, err, hint)
}

// diskProblem says what is wrong with the disk of a file, as far as the host
// tells.
func (c *session) diskProblem(file string) string {
	const readOnly, little = 1, 64 << 10
	vfs, err := c.statVFS(file)
	switch {
	case err != nil:
		return ""
	case vfs.Flag&readOnly != 0:
		return "the file system is read-only"
	// What has no blocks at all, such as /proc, is no disk.
	case vfs.Blocks > 0 && vfs.Bavail*vfs.Frsize < little || vfs.Files > 0 && vfs.Favail == 0:
		return "the disk is full"
	}
	return ""
}
