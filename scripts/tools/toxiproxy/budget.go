package main

import (
	"sync/atomic"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
)

// A budget lets so many bytes through, counted over all connections. The
// faults differ in what happens to the byte after that.
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
