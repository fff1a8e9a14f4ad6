package apiserver

import (
	"io"
	"net/http"
	"time"
)

// piece is how much is sent to a client before it has to have read it.
const piece = 4 << 20

// steady is the body of a request whose client must not stop sending: each
// piece gets the same time.
type steady struct {
	io.ReadCloser
	control *http.ResponseController
	limit   time.Duration
	count   func(int)
}

func (b *steady) Read(p []byte) (int, error) {
	// A connection without deadlines is a test's.
	_ = b.control.SetReadDeadline(time.Now().Add(b.limit))
	n, err := b.ReadCloser.Read(p)
	b.count(n)
	return n, err
}

// readBody makes the body of a request one that is read in time, and no longer
// than limit bytes. The function that it returns is called once all that matters
// was read: a client may then be silent until it is answered. Without that call
// the connection ends with the answer, soon.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, limit int64) func() {
	control := http.NewResponseController(w)
	body := &steady{
		ReadCloser: r.Body, control: control, limit: s.opts.Limits.Stall,
		count: func(n int) { s.metrics.received.Add(float64(n)) },
	}
	r.Body = http.MaxBytesReader(w, body, limit)
	return func() {
		// What stands behind the end of a form is of no use; with all of it read,
		// the server notices when the client hangs up.
		if n, err := io.Copy(io.Discard, io.LimitReader(r.Body, maxEpilogue)); err == nil && n < maxEpilogue {
			_ = control.SetReadDeadline(time.Time{})
		}
	}
}

// maxEpilogue bounds what may stand behind a form.
const maxEpilogue = 64 << 10

// ReadFrom sends content in pieces, each within the time that a client has to
// read one. It keeps the system's own way from a file to a connection.
func (r *recorder) ReadFrom(src io.Reader) (int64, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	control := http.NewResponseController(r.ResponseWriter)
	rest := int64(1<<63 - 1)
	limited, ok := src.(*io.LimitedReader)
	if ok {
		src, rest = limited.R, limited.N
	}
	var total int64
	for rest > 0 {
		if r.stall > 0 {
			_ = control.SetWriteDeadline(time.Now().Add(r.stall))
		}
		want := min(rest, piece)
		n, err := io.Copy(r.ResponseWriter, io.LimitReader(src, want))
		total, rest = total+n, rest-n
		if err != nil || n < want {
			return r.sent(limited, total), err
		}
	}
	return r.sent(limited, total), nil
}

// sent notes how much of a source is gone.
func (r *recorder) sent(limited *io.LimitedReader, n int64) int64 {
	r.size += n
	if limited != nil {
		limited.N -= n
	}
	return n
}
