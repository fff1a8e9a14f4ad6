package standin

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// errKilled is the end of an executor that was told so over its shell port.
var errKilled = errors.New("killed through the shell port")

// shell serves the port of heron-shell: the lists and slices of files, and
// /killexecutor. That, as the real one, asks no secret of who is on the same
// machine, and refuses everybody else. Of the rest it says that there is nothing.
func shell(kill context.CancelCauseFunc) func(net.Conn) {
	return func(conn net.Conn) {
		if conn.SetDeadline(time.Now().Add(requestLimit)) != nil {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		code, body := shellFiles(r.URL)
		status := strconv.Itoa(code) + " " + http.StatusText(code)
		if r.URL.Path == "/killexecutor" && r.Method == http.MethodPost {
			status = "403 Forbidden"
			if from, ok := conn.RemoteAddr().(*net.TCPAddr); ok && from.IP.IsLoopback() {
				defer kill(errKilled)
				status = "200 OK"
			}
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 "+status+"\r\nConnection: close\r\n\r\n"+body+"\n")
	}
}
