package uploader

import (
	"context"
	"errors"
)

// tries is what the tries of one upload share, in its context. One try at a
// time uses it.
type tries struct {
	// more: if this one is cut off, another may follow.
	more bool
	// kept undoes what tries that were cut off have left for the next one.
	kept map[string]func(context.Context) error
}

type triesKey struct{}

// keep leaves something for the next try, if there may be one.
func keep(ctx context.Context, what string, undo func(context.Context) error) bool {
	t, ok := ctx.Value(triesKey{}).(*tries)
	if !ok || !t.more {
		return false
	}
	t.kept[what] = undo
	return true
}

// drop says that something that was kept has been used or undone.
func drop(ctx context.Context, what string) {
	if t, ok := ctx.Value(triesKey{}).(*tries); ok {
		delete(t.kept, what)
	}
}

// undo takes back what is still kept after the last try.
func (t *tries) undo(ctx context.Context) error {
	var err error
	for what, undo := range t.kept {
		err = errors.Join(err, undo(ctx))
		delete(t.kept, what)
	}
	return err
}
