package standin

import (
	"bufio"
	"encoding/json"
	"net"
	"sync"
	"time"
)

// Limits of a connection between a stream manager and the TManager, with the
// real ones' values.
const (
	heartbeatInterval = 10 * time.Second
	heartbeatLimit    = 60 * time.Second
	dialLimit         = 5 * time.Second
)

// message is what stream managers and the TManager send each other, a line
// of JSON each. The real ones speak a protocol of their own here; nobody else
// takes part in it. Byte fields are serialized protobuf messages.
type message struct {
	// From a stream manager: who it is and what it runs. Once.
	StMgr     []byte   `json:"stmgr,omitempty"`
	Instances [][]byte `json:"instances,omitempty"`
	// From a stream manager, while it lives.
	Heartbeat bool `json:"heartbeat,omitempty"`
	// From the TManager: the answer to the registration.
	Refused string `json:"refused,omitempty"`
	// From the TManager: the physical plan, whenever it is written.
	Plan []byte `json:"plan,omitempty"`
}

// link is one connection; send may be called from several goroutines.
type link struct {
	conn net.Conn
	in   *bufio.Reader
	mu   sync.Mutex
}

func newLink(conn net.Conn) *link { return &link{conn: conn, in: bufio.NewReader(conn)} }

func (l *link) send(m message) error {
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.conn.SetWriteDeadline(time.Now().Add(dialLimit)); err != nil {
		return err
	}
	_, err = l.conn.Write(append(line, '\n'))
	return err
}

// receive waits for the next message; limit 0 is for ever.
func (l *link) receive(limit time.Duration) (message, error) {
	var m message
	deadline := time.Time{}
	if limit > 0 {
		deadline = time.Now().Add(limit)
	}
	if err := l.conn.SetReadDeadline(deadline); err != nil {
		return m, err
	}
	line, err := l.in.ReadBytes('\n')
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(line, &m)
}
