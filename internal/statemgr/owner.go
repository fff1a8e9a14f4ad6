package statemgr

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tokenLength is how many hex digits tell owners apart.
const tokenLength = 16

// Owner is a process that carries out an operation on a topology, and holds the
// claim on it.
type Owner struct {
	// Token tells it from all other owners; it names the node that it holds.
	Token string `json:"token"`
	// Doing is its operation, one of Operations; User and Host tell a person
	// whose process it is and where it runs.
	Doing string `json:"doing"`
	User  string `json:"user"`
	Host  string `json:"host"`
	PID   int    `json:"pid"`
	// Machine is the same for processes that see each other's PIDs until the
	// machine is restarted, and Begun, in ticks since that start, tells this
	// process from another with the same PID. Both are empty if the system does
	// not reveal them.
	Machine string `json:"machine,omitempty"`
	Begun   string `json:"begun,omitempty"`
	// Since is kept in UTC, to the second.
	Since time.Time `json:"since"`
	// Via is on whose behalf it acts, if it is an API server.
	Via Via `json:"via,omitzero"`
}

// For is the owner, acting on somebody's behalf.
func (o Owner) For(via Via) Owner {
	o.Via = via
	return o
}

// NewOwner describes this process.
func NewOwner(doing, user string, now time.Time) Owner {
	random := make([]byte, tokenLength/2)
	rand.Read(random) // never fails
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	pid := os.Getpid()
	begun, _ := processBegun(pid)
	return Owner{
		Token: hex.EncodeToString(random), Doing: doing, User: user, Host: host, PID: pid,
		Machine: machine(), Begun: begun, Since: now.UTC().Truncate(time.Second),
	}
}

// String says who, where and since when.
func (o Owner) String() string {
	text := fmt.Sprintf("%s of user %s on %s (process %d) since %s", o.Doing, o.User, o.Host, o.PID, o.Since.Format(time.RFC3339))
	if by := o.Via.String(); by != "" {
		text += ", an API server asked by " + by + ","
	}
	return text
}

// encode returns the data of the owner's node.
func (o Owner) encode() ([]byte, error) {
	data, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode owner: %w", err)
	}
	return data, nil
}

// gone reports whether the process is known to have ended: it ran on this
// machine, and no process has its PID and start time any more.
func (o Owner) gone() bool {
	if o.Machine == "" || o.Begun == "" || o.Machine != machine() {
		return false
	}
	if errors.Is(unix.Kill(o.PID, 0), unix.ESRCH) {
		return true
	}
	// The process may be hidden from us; then nothing is known.
	begun, err := processBegun(o.PID)
	return errors.Is(err, errZombie) || err == nil && begun != o.Begun
}

var errZombie = errors.New("the process has ended, but its parent has not collected it")

// machine identifies this machine's current run and the namespace of its PIDs;
// "" if unknown.
func machine() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	space, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(boot)) + " " + space
}

// processBegun returns when a process of this machine was started, in ticks
// since the machine was; errZombie if it has ended but is still listed.
func processBegun(pid int) (string, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", err
	}
	// The second field is a name in parentheses, which may contain anything;
	// the state is the third field, the start time the 22nd.
	_, rest, ok := strings.Cut(string(data[bytes.LastIndexByte(data, ')')+1:]), " ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return "", errors.New("/proc has an unknown format")
	}
	if state := fields[0]; state == "Z" || state == "X" {
		return "", errZombie
	}
	return fields[19], nil
}

// HoldOwner makes the owner's node for a topology. It lasts as long as the
// owner; see Store.Hold.
func (t Tree) HoldOwner(ctx context.Context, topology string, o Owner) (release func(context.Context) error, err error) {
	data, err := o.encode()
	if err != nil {
		return nil, err
	}
	return t.Hold(ctx, t.Owner(topology, o.Token), data)
}

// OwnerAlive reports whether an owner is still running. An owner on another
// machine counts as alive as long as its session lasts: after a crash for up to
// the session's time.
func (t Tree) OwnerAlive(ctx context.Context, topology string, o Owner) (bool, error) {
	_, err := t.Read(ctx, t.Owner(topology, o.Token))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return !o.gone(), nil
}

// SweepOwners removes the nodes that DeadOwners finds.
func (t Tree) SweepOwners(ctx context.Context, topology string) error {
	dead, err := t.DeadOwners(ctx, topology)
	if err != nil {
		return err
	}
	for _, path := range dead {
		if err := t.Apply(ctx, Delete(path)); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}

// DeadOwners returns the paths of nodes that dead owners of a topology left
// behind: in a folder they stay, in ZooKeeper they stay for the session's time.
// Nodes of owners that may be alive are not among them.
func (t Tree) DeadOwners(ctx context.Context, topology string) ([]string, error) {
	names, err := t.Children(ctx, t.Owners())
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var dead []string
	for _, name := range names {
		if ownerOf(name, topology) == "" {
			continue
		}
		path := t.Owners() + "/" + name
		node, err := t.Read(ctx, path)
		if err == nil {
			var o Owner
			if json.Unmarshal(node.Data, &o) != nil || !o.gone() {
				continue
			}
		} else if !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		dead = append(dead, path)
	}
	return dead, nil
}
