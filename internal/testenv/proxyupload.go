package testenv

import (
	"sync/atomic"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
)

// CutUploadAfter lets so many bytes through to the server, on all connections
// together. It then closes each connection that sends more, until Up.
func (p *FaultProxy) CutUploadAfter(bytes int64) { p.budget(bytes, "cut") }

// BreakUploadAfter closes the one connection that sends the byte behind so
// many, counted on all of them together. All is whole then.
func (p *FaultProxy) BreakUploadAfter(bytes int64) { p.budget(bytes, "break") }

// StallUploadAfter lets so many bytes through to the server, on all
// connections together, and nothing more. The connections stay open until Up,
// which closes those that were held.
func (p *FaultProxy) StallUploadAfter(bytes int64) { p.budget(bytes, "stall") }

// SlowUpload lets each connection send so many bytes in a second.
func (p *FaultProxy) SlowUpload(bytesPerSecond int64) {
	p.t.Helper()
	p.Up()
	p.add("bandwidth", "upstream", "rate", max(bytesPerSecond>>10, 1))
}

func (p *FaultProxy) budget(bytes int64, then string) {
	p.t.Helper()
	p.Up()
	// The library makes its faults from a list of types; adding one again
	// changes nothing.
	toxics.Register("heron_cut", new(cutBudget))
	toxics.Register("heron_break", new(breakBudget))
	toxics.Register("heron_stall", new(stallBudget))
	p.add("heron_"+then, "upstream", "bytes", bytes)
}

// budget passes so many bytes on, on all connections together.
type budget struct {
	Bytes int64 `json:"bytes"`
	used  atomic.Int64
}

// pipe passes data on until the budget is spent, and says whether it is: not
// when the connection ended or the fault did.
func (b *budget) pipe(stub *toxics.ToxicStub) (rest *stream.StreamChunk, spent bool) {
	for {
		select {
		case <-stub.Interrupt:
			return nil, false
		case c := <-stub.Input:
			if c == nil {
				stub.Close()
				return nil, false
			}
			size := int64(len(c.Data))
			left := b.Bytes - (b.used.Add(size) - size)
			if left >= size {
				stub.Output <- c
				continue
			}
			left = max(left, 0)
			if left > 0 {
				stub.Output <- &stream.StreamChunk{Data: c.Data[:left], Timestamp: c.Timestamp}
			}
			return &stream.StreamChunk{Data: c.Data[left:], Timestamp: c.Timestamp}, true
		}
	}
}

type cutBudget struct{ budget }

// Pipe implements toxics.Toxic.
func (b *cutBudget) Pipe(stub *toxics.ToxicStub) {
	if _, spent := b.pipe(stub); spent {
		stub.Close()
	}
}

type breakBudget struct {
	budget
	broken atomic.Bool
}

// Pipe implements toxics.Toxic.
func (b *breakBudget) Pipe(stub *toxics.ToxicStub) {
	rest, spent := b.pipe(stub)
	if !spent {
		return
	}
	if b.broken.CompareAndSwap(false, true) {
		stub.Close()
		return
	}
	stub.Output <- rest
	new(toxics.NoopToxic).Pipe(stub)
}

// stallBudget keeps in the state of a connection whether it holds it.
type stallBudget struct{ budget }

// NewState implements toxics.StatefulToxic.
func (b *stallBudget) NewState() any { return new(bool) }

// Pipe implements toxics.Toxic. What is not passed on is not read either, so
// that the sender's buffers fill up.
func (b *stallBudget) Pipe(stub *toxics.ToxicStub) {
	if _, spent := b.pipe(stub); spent {
		*stub.State.(*bool) = true
		<-stub.Interrupt
	}
}

// Cleanup implements toxics.CleanupToxic.
func (b *stallBudget) Cleanup(stub *toxics.ToxicStub) {
	if *stub.State.(*bool) {
		stub.Close()
	}
}
