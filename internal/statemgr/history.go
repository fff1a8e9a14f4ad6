package statemgr

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// Versions returns the records of a topology's versions, oldest first, without
// their content; none where there is no history. A record that cannot be
// understood is an error.
func (t Tree) Versions(ctx context.Context, topology string) ([]Version, error) {
	if err := CheckName(topology); err != nil {
		return nil, err
	}
	names, err := t.Children(ctx, t.History(topology))
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the history of topology %q: %w", topology, err)
	}
	var paths []string
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil && n > 0 {
			paths = append(paths, t.Version(topology, n))
		}
	}
	nodes, err := t.ReadAll(ctx, paths...)
	if err != nil {
		return nil, fmt.Errorf("read the history of topology %q: %w", topology, err)
	}
	var list []Version
	for path, node := range nodes {
		v, err := DecodeVersion(node.Data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b Version) int { return a.Number - b.Number })
	return list, nil
}

// Content reads what of a version is kept in nodes of its own.
func (t Tree) Content(ctx context.Context, topology string, v Version) (Version, error) {
	for _, part := range []struct {
		path string
		into *[]byte
	}{
		{t.VersionDefinition(topology, v.Number), &v.Definition},
		{t.VersionPackingPlan(topology, v.Number), &v.PackingPlan},
		{t.VersionJob(topology, v.Number), &v.Job},
	} {
		node, err := t.Read(ctx, part.path)
		if err == nil {
			*part.into, err = decompress(node.Data)
		}
		if err != nil {
			return Version{}, fmt.Errorf("read version %d of topology %q: %s: %w", v.Number, topology, part.path, err)
		}
	}
	return v, nil
}

// Append returns the operations that add a version to those that there are,
// with the number that it gets. They belong into the transaction that puts the
// version in place; whoever makes it holds the claim, so nobody else adds one.
func (t Tree) Append(ctx context.Context, topology string, v Version) ([]Op, int, error) {
	there, err := t.Versions(ctx, topology)
	if err != nil {
		return nil, 0, err
	}
	v.Number = 1
	if n := len(there); n > 0 {
		v.Number = there[n-1].Number + 1
	}
	ops, err := v.Ops(t.Layout, topology)
	if err != nil {
		return nil, 0, err
	}
	_, err = t.Read(ctx, t.History(topology))
	if errors.Is(err, ErrNotFound) {
		return append([]Op{t.CreateHistory(topology)}, ops...), v.Number, nil
	}
	return ops, v.Number, err
}

// MarkStable notes that a version was seen to run as it should, while all
// guards hold, which are checks. A version that is not there is no error.
func (t Tree) MarkStable(ctx context.Context, topology string, number int, guards ...Op) error {
	path := t.Version(topology, number)
	node, err := t.Read(ctx, path)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	v, err := DecodeVersion(node.Data)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if v.Stable && len(v.Checkpoints) == 0 {
		return nil
	}
	v.Stable, v.Checkpoints = true, nil
	data, err := v.Encode()
	if err != nil {
		return err
	}
	return t.Apply(ctx, append(slices.Clone(guards), Set(path, data).At(node.Version))...)
}

// DeleteVersion removes a version while all guards hold, which are checks. Where
// a part is missing already, the rest goes.
func (t Tree) DeleteVersion(ctx context.Context, topology string, v Version, guards ...Op) error {
	for _, op := range v.DeleteOps(t.Layout, topology) {
		if err := t.Apply(ctx, append(slices.Clone(guards), op)...); err != nil {
			var refused *TxError
			if errors.Is(err, ErrNotFound) && errors.As(err, &refused) && refused.Op.Kind == OpDelete {
				continue
			}
			return fmt.Errorf("remove version %d of topology %q: %w", v.Number, topology, err)
		}
	}
	return nil
}

func compress(data []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	_, err = w.Write(data)
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return b.Bytes(), nil
}

// contentLimit bounds a part of a version; what the store takes as a node of its
// own is far smaller.
const contentLimit = 256 << 20

func decompress(data []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	out, err := io.ReadAll(io.LimitReader(r, contentLimit+1))
	if err == nil && len(out) > contentLimit {
		err = fmt.Errorf("it is larger than %d bytes", contentLimit)
	}
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	return out, nil
}
