package uploader

import (
	"context"
	"errors"
)

// tries is what the attempts of one upload share, in its context. One attempt
// at a time uses it.
type tries struct {
	// more: if this attempt is cut off, another one may follow.
	more bool
	// kept undoes what attempts that were cut off left for the next one.
	kept map[string]func(context.Context) error
}

type triesKey struct{}

// Keep is for uploaders that resume: it leaves something for the next attempt,
// if there may be one, and says so. undo removes it should none follow.
func Keep(ctx context.Context, what string, undo func(context.Context) error) bool {
	t, ok := ctx.Value(triesKey{}).(*tries)
	if !ok || !t.more {
		return false
	}
	t.kept[what] = undo
	return true
}

// Drop says that something that was kept has been used or undone.
func Drop(ctx context.Context, what string) {
	if t, ok := ctx.Value(triesKey{}).(*tries); ok {
		delete(t.kept, what)
	}
}

// undo takes back what is still kept after the last attempt.
func (t *tries) undo(ctx context.Context) error {
	var err error
	for what, undo := range t.kept {
		err = errors.Join(err, undo(ctx))
		delete(t.kept, what)
	}
	return err
}
