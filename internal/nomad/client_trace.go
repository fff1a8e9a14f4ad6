package nomad

import (
	"context"
	"net/http/httptrace"
	"sync/atomic"
)

// traceSent watches a request made with the context it returns: sent says
// whether it had a connection, so that it may have reached the server.
func traceSent(ctx context.Context) (traced context.Context, sent func() bool) {
	var connected atomic.Bool
	traced = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	return traced, connected.Load
}
