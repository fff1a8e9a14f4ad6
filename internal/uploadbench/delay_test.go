package uploadbench

import (
	"io"
	"net"
	"testing"
	"time"
)

// delayed is a relay before a server that hands on each answer so much later.
// What goes to the server passes through the kernel alone, so that the relay
// takes no time from the two that are measured.
func delayed(b *testing.B, server string, by time.Duration) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", server)
			if err != nil {
				_ = client.Close()
				continue
			}
			go func() {
				_, _ = io.Copy(upstream, client)
				_ = upstream.(*net.TCPConn).CloseWrite()
			}()
			go answers(client, upstream, by)
		}
	}()
	return l.Addr().String()
}

// answers hands on what the server says, each piece when its time has come.
func answers(client, upstream net.Conn, by time.Duration) {
	type piece struct {
		due  time.Time
		data []byte
	}
	pieces := make(chan piece, 1024)
	go func() {
		defer close(pieces)
		for {
			data := make([]byte, 32<<10)
			n, err := upstream.Read(data)
			if n > 0 {
				pieces <- piece{time.Now().Add(by), data[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range pieces {
		time.Sleep(time.Until(p.due))
		if _, err := client.Write(p.data); err != nil {
			break
		}
	}
	_, _ = client.Close(), upstream.Close()
	for range pieces {
		// Let the reader end.
	}
}
