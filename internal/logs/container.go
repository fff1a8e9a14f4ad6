package logs

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
)

// passes is how often the files of a container are listed in one look, where
// they change meanwhile.
const passes = 6

// newLooks is how many looks at a container go by until what is not in its
// working directory itself is not expected there any more.
const newLooks = 50

// container is one allocation of a container, and how far its logs were read.
type container struct {
	options    Options
	index      int
	allocation string
	// task is the name of its task.
	task   string
	folder folder
	// fresh: it was there when the command began, so that Tail counts.
	fresh bool
	out   func(block) error
	// marking: somebody wants bookmarks.
	marking bool
	// lost is told of logs in which lines may be missing.
	lost func(log string)

	streams map[string]*stream
	begun   bool
	// looks counts calls of read. executor says that the executor's log is in the
	// working directory itself.
	looks    int
	executor bool
	// matched: a file that was asked for was there.
	matched bool
}

// list sorts the files by log. Those of the run before are left out unless
// all is set.
func (c *container) list(ctx context.Context, all bool) (map[string][]entry, error) {
	byLog := map[string][]entry{}
	defer newestFirst(byLog)
	switch {
	case c.options.Stream != "":
		files, err := c.filesOf(ctx, "alloc/logs")
		streamLogs(byLog, "alloc/logs", c.task, c.options.Stream, files)
		return byLog, err
	case c.options.File != "":
		return byLog, c.listFile(ctx, byLog)
	}
	folders := []string{logFolder}
	if all || c.executor || c.looks < newLooks {
		folders = append(folders, ".")
	}
	for i := 0; i < len(folders); i++ {
		dir := folders[i]
		files, err := c.filesOf(ctx, dir)
		if err != nil {
			return nil, err
		}
		before := len(byLog)
		engineLogs(byLog, dir, files)
		if dir != "." {
			continue
		}
		c.executor = c.executor || len(byLog) > before
		// heron-shell logs a traceback for each list of a folder that is not there.
		if all && slices.ContainsFunc(files, func(f file) bool { return f.isDir && f.name == previousFolder }) {
			folders = append(folders, previousFolder)
		}
	}
	if !c.folder.exact() {
		// There every request of ours becomes a line, which would have to be read by
		// further ones.
		maps.DeleteFunc(byLog, func(log string, _ []entry) bool { return isShellLog(log) })
	}
	if c.options.Component != "" {
		maps.DeleteFunc(byLog, func(log string, _ []entry) bool { return component(log) != c.options.Component })
	}
	return byLog, nil
}

// listFile looks for the file that was asked for: by its path, and by a mere
// name in the log folder first.
func (c *container) listFile(ctx context.Context, byLog map[string][]entry) error {
	name := c.options.File
	dirs := []string{path.Dir(name)}
	if !strings.Contains(name, "/") {
		dirs = []string{logFolder, "."}
	}
	for _, dir := range dirs {
		files, err := c.filesOf(ctx, dir)
		if err != nil {
			return err
		}
		for _, f := range files {
			if f.name != path.Base(name) || f.isDir {
				continue
			}
			if f.isLink { // one of glog's, to the file that is written
				logs := map[string][]entry{}
				engineLogs(logs, dir, files)
				newestFirst(logs)
				if log, _, link := parseName(f.name); link && len(logs[log]) > 0 {
					byLog[name] = logs[log][:1]
					return nil
				}
				continue
			}
			byLog[name] = []entry{{path: path.Join(dir, f.name), size: f.size, mod: f.mod}}
			return nil
		}
	}
	return nil
}

// filesOf lists a folder; one that is not there is empty.
func (c *container) filesOf(ctx context.Context, dir string) ([]file, error) {
	files, err := c.folder.files(ctx, dir)
	if errors.Is(err, errNoFile) {
		return nil, nil
	}
	return files, err
}

// read reads everything that is new. With last, nothing will be written any
// more.
func (c *container) read(ctx context.Context, last bool) error {
	c.looks++
	todo := map[string]passed{}
	for round := range passes {
		byLog, err := c.list(ctx, round > 0 || last || !c.begun)
		if err != nil {
			return err
		}
		if round == 0 {
			begun := c.begun
			if byLog, err = c.meet(ctx, byLog); err != nil {
				return err
			}
			if mark := c.bookmark(c.allLogs()...); mark != nil && !begun {
				if err := c.out(block{mark: mark}); err != nil {
					return err
				}
			}
			for log := range c.streams {
				todo[log] = passDone
			}
		}
		for _, log := range slices.Sorted(maps.Keys(todo)) {
			entries := byLog[log]
			if len(entries) == 0 && !last {
				delete(todo, log) // it is between two runs
				continue
			}
			lost := todo[log] == passLost && round > 1
			how, err := c.streams[log].pass(ctx, entries, round == 0, lost, func(ctx context.Context) ([]entry, error) {
				now, err := c.list(ctx, true)
				return now[log], err
			})
			switch {
			case err != nil:
				return err
			case how == passDone:
				delete(todo, log)
			default:
				todo[log] = how
			}
		}
		if len(todo) == 0 {
			break
		}
	}
	if last {
		for _, log := range slices.Sorted(maps.Keys(c.streams)) {
			if err := c.streams[log].flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// meet begins with logs that were not there before, and returns the list of
// files that it was done with last.
func (c *container) meet(ctx context.Context, byLog map[string][]entry) (map[string][]entry, error) {
	if c.streams == nil {
		c.streams = map[string]*stream{}
	}
	place := !c.begun && c.fresh && (c.options.Tail != Everything || !c.options.Since.IsZero())
	c.begun = true
	fresh := slices.DeleteFunc(slices.Sorted(maps.Keys(byLog)), func(log string) bool { return c.streams[log] != nil })
	for try := 1; len(fresh) > 0; try++ {
		for _, log := range fresh {
			s := c.stream(log)
			if place {
				if err := c.place(ctx, s, byLog[log]); err != nil {
					return nil, err
				}
			}
			c.streams[log] = s
			c.matched = true
		}
		if !place || try == passes {
			break
		}
		// A place in files that were renamed meanwhile is none.
		now, err := c.list(ctx, true)
		if err != nil {
			return nil, err
		}
		fresh = slices.DeleteFunc(fresh, func(log string) bool { return sameFiles(now[log], byLog[log]) })
		byLog = now
	}
	return byLog, nil
}

// place makes the place where the options say to begin the stream's position.
func (c *container) place(ctx context.Context, s *stream, entries []entry) error {
	from := len(entries)
	for from > 0 && !c.options.Since.IsZero() && !entries[from-1].mod.IsZero() && entries[from-1].mod.Before(c.options.Since) {
		from--
	}
	switch {
	case from == 0 && len(entries) > 0:
		return missing(s.startAt(ctx, entries, 0, entries[0].size))
	case c.options.Tail != Everything:
		if err := missing(s.startAtTail(ctx, entries[:from], c.options.Tail)); err != nil {
			return err
		}
	}
	if len(s.mark) == 0 && s.older == nil {
		s.older = map[fileKey]bool{}
	}
	for _, e := range entries[from:] {
		if s.older != nil {
			s.older[e.key()] = true
		}
	}
	return nil
}

// stream is a log of which nothing was read.
func (c *container) stream(log string) *stream {
	s := &stream{carry: c.options.Stream != "", filter: sinceFilter{since: c.options.Since, now: c.options.Now()}}
	c.own(s, log)
	return s
}

// own makes a stream one of this container's.
func (c *container) own(s *stream, log string) {
	s.folder, s.emit, s.lost = c.folder, c.emitter(s, log), func() { c.lost(log) }
}

// emitter makes lines of what a log says.
func (c *container) emitter(s *stream, log string) func(string, [][]byte) error {
	head := Line{Container: c.index, Component: component(log), Allocation: c.allocation, Label: label(log)}
	if head.Component != "" {
		head.Instance = log
	}
	return func(path string, texts [][]byte) error {
		lines := make([]Line, 0, len(texts))
		head.File = path
		for _, text := range texts {
			if s.filter.shown(text) {
				line := head
				line.Line = string(text)
				lines = append(lines, line)
			}
		}
		if len(lines) == 0 {
			return nil
		}
		return c.out(block{lines, c.bookmark(log)})
	}
}

// shared says that the next allocation of the container has the same working
// directory, if it is on the same node.
func (c *container) shared() bool {
	_, shell := c.folder.(*shellFolder)
	return shell
}

// inherit goes on where the reading of the allocation before ended, where both
// have the same working directory.
func (c *container) inherit(before *container) {
	if before == nil || !c.shared() {
		return
	}
	c.streams, c.begun = before.streams, before.begun
	for log, s := range c.streams {
		c.own(s, log)
	}
}
