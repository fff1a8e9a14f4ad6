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

// Owner is a process that an operation on a topology is under way in.
type Owner struct {
	// Token tells it from all other owners; it names the node that it holds.
	Token string `json:"token"`
	// Doing is its operation, such as "submit"; User and Host tell a person
	// whose it is and where.
	Doing string `json:"doing"`
	User  string `json:"user"`
	Host  string `json:"host"`
	PID   int    `json:"pid"`
	// Machine is the same for processes that see each other's PIDs until the
	// machine is started again, and Begun, in ticks since that start, tells
	// this process from another of its PID. Both are empty where the system
	// does not say.
	Machine string `json:"machine,omitempty"`
	Begun   string `json:"begun,omitempty"`
	// Since is kept in UTC, to the second.
	Since time.Time `json:"since"`
}

// NewOwner is this process.
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

// String is who, where and since when.
func (o Owner) String() string {
	return fmt.Sprintf("%s of user %s on %s (process %d) since %s", o.Doing, o.User, o.Host, o.PID, o.Since.Format(time.RFC3339))
}

// encode gives the data of the owner's node.
func (o Owner) encode() ([]byte, error) {
	data, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode owner: %w", err)
	}
	return data, nil
}

// gone says that the process is known to have ended: it was one of this
// machine's, and there is none of its PID and start any more.
func (o Owner) gone() bool {
	if o.Machine == "" || o.Begun == "" || o.Machine != machine() {
		return false
	}
	if errors.Is(unix.Kill(o.PID, 0), unix.ESRCH) {
		return true
	}
	// It may be hidden from us; then nothing is known.
	begun, err := processBegun(o.PID)
	return errors.Is(err, errZombie) || err == nil && begun != o.Begun
}

var errZombie = errors.New("it has ended, and its parent has not asked how")

// machine names this machine's present run and the namespace of its PIDs, "" where
// that is not known.
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

// processBegun is when a process of this machine was started, in ticks since
// the machine was; errZombie where it has ended and is still listed.
func processBegun(pid int) (string, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", err
	}
	// The second field is a name in brackets, which may hold anything; state
	// is the third field, the time of the start the 22nd.
	_, rest, ok := strings.Cut(string(data[bytes.LastIndexByte(data, ')')+1:]), " ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return "", errors.New("/proc is of an unknown form")
	}
	if state := fields[0]; state == "Z" || state == "X" {
		return "", errZombie
	}
	return fields[19], nil
}

// Hold makes the owner's node for a topology. It is there as long as the owner
// is; see Store.
func (o Owner) Hold(ctx context.Context, store Store, l Layout, topology string) (release func(context.Context) error, err error) {
	data, err := o.encode()
	if err != nil {
		return nil, err
	}
	return store.Hold(ctx, l.Owner(topology, o.Token), data)
}

// Alive says whether an owner is still at it. Of one on another machine that is
// known as long as its session lasts: after a crash it counts as alive for up
// to the session's time.
func (o Owner) Alive(ctx context.Context, store Store, l Layout, topology string) (bool, error) {
	_, err := store.Read(ctx, l.Owner(topology, o.Token))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return !o.gone(), nil
}

// SweepOwners removes the nodes that dead owners of a topology left: in a
// folder they stay, in ZooKeeper they take the session's time to go. Those of
// owners that may be alive stay.
func SweepOwners(ctx context.Context, store Store, l Layout, topology string) error {
	names, err := store.Children(ctx, l.Owners())
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		if ownerOf(name, topology) == "" {
			continue
		}
		path := l.Owners() + "/" + name
		node, err := store.Read(ctx, path)
		if err == nil {
			var o Owner
			if json.Unmarshal(node.Data, &o) != nil || !o.gone() {
				continue
			}
		} else if !errors.Is(err, ErrNotFound) {
			return err
		}
		if err := store.Apply(ctx, Delete(path)); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}
