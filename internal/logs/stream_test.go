package logs

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

const words = "log-files/container_1_words_3"

func all() Options { return Options{Tail: Everything} }

func TestLinesAreWholeAndShownOnce(t *testing.T) {
	both(t, func(t *testing.T, d *disk) {
		c, got := reading(d, all())
		c.mustRead(t, false)
		d.write(words+".log.0", "one\r\ntwo\nthr")
		c.mustRead(t, false)
		equal(t, "whole lines", got.take(), []string{"one", "two"})
		c.mustRead(t, false)
		equal(t, "nothing new", got.take(), nil)
		d.write(words+".log.0", "ee\n\nfour")
		c.mustRead(t, false)
		equal(t, "the rest of a line", got.take(), []string{"three", ""})
		c.mustRead(t, true)
		equal(t, "a last line without an end", got.take(), []string{"four"})
	})
}

func TestALongLineIsBroken(t *testing.T) {
	d := newDisk(false)
	long := strings.Repeat("x", 3*maxLine) + "\nshort\n"
	d.write(words+".log.0", long)
	c, got := reading(d, all())
	c.mustRead(t, true)
	if joined := strings.Join(got.take(), ""); joined != strings.ReplaceAll(long, "\n", "") {
		t.Errorf("%d bytes, want %d", len(joined), len(long)-2)
	}
}

func TestCharactersOnBlockBorders(t *testing.T) {
	both(t, func(t *testing.T, d *disk) {
		// Every border of a block cuts a character of another length, at another
		// place.
		var text strings.Builder
		for i := 0; text.Len() < 5*blockSize; i++ {
			fmt.Fprintf(&text, "%d é€😀 <&amp;> %s\n", i, strings.Repeat("😀", i%7))
		}
		want := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
		d.write(words+".log.0", text.String())
		c, got := reading(d, all())
		c.mustRead(t, false)
		equal(t, "lines", got.take(), want)

		// A writer that has written half a character.
		d.write(words+".log.0", "half \xf0\x9f")
		c.mustRead(t, false)
		d.write(words+".log.0", "\x98\x80\n")
		c.mustRead(t, false)
		equal(t, "a character in two writes", got.take(), []string{"half 😀"})
	})
}

func TestBytesThatAreNotUTF8(t *testing.T) {
	both(t, func(t *testing.T, d *disk) {
		d.write(words+".log.0", "a\xff\xfeb\n"+strings.Repeat("\xff", 2*blockSize)+"\nend\n")
		c, got := reading(d, all())
		c.mustRead(t, false)
		d.write(words+".log.0", "more \xc3\n")
		c.mustRead(t, false)
		list := got.take()
		if n := len(list); n < 4 || !strings.HasPrefix(list[0], "a") || list[n-2] != "end" || !strings.HasPrefix(list[n-1], "more ") || len(got.lost) > 0 {
			t.Errorf("%d lines, lost %v", n, got.lost)
		}
	})
}

func TestRotation(t *testing.T) {
	both(t, func(t *testing.T, d *disk) {
		c, got := reading(d, all())
		d.write(words+".log.1", numbered(1, 3))
		d.write(words+".log.0", numbered(4, 5))
		c.mustRead(t, false)
		equal(t, "what was rotated before comes first", got.take(), numbers(1, 5))

		d.write(words+".log.0", numbered(6, 7))
		d.rotate(words, 4)
		d.write(words+".log.0", numbered(8, 30)) // already longer than what was read
		c.mustRead(t, false)
		equal(t, "rotated once", got.take(), numbers(6, 30))

		d.write(words+".log.0", numbered(31, 31))
		d.rotate(words, 4)
		d.write(words+".log.0", numbered(32, 33))
		d.rotate(words, 4)
		d.write(words+".log.0", numbered(34, 34))
		c.mustRead(t, false)
		equal(t, "rotated twice between two looks", got.take(), numbers(31, 34))

		d.rotate(words, 4)
		d.write(words+".log.0", "")
		c.mustRead(t, false)
		equal(t, "nothing is in the new file yet", got.take(), nil)
		d.write(words+".log.0", numbered(35, 35))
		c.mustRead(t, true)
		equal(t, "now there is", got.take(), numbers(35, 35))
		equal(t, "lost", got.lost, nil)
	})
}

// Files are renamed at any moment between two requests.
func TestRotationAtAnyMoment(t *testing.T) {
	both(t, func(t *testing.T, d *disk) {
		for seed := range uint64(60) {
			random := rand.New(rand.NewPCG(seed, 1))
			at := newDisk(d.asText)
			written, limit := 0, 40
			write := func() {
				n := random.IntN(6) + 1
				at.write(words+".log.0", numbered(written+1, written+n))
				written += n
			}
			at.between = func(string) {
				if written >= limit {
					return
				}
				switch random.IntN(3) {
				case 0:
					write()
				case 1:
					write()
					at.rotate(words, 50)
					write()
				}
			}
			c, got := reading(at, all())
			for limit = 40; limit <= 400; limit += 40 {
				c.mustRead(t, false)
			}
			limit = written
			c.mustRead(t, true)
			equal(t, fmt.Sprintf("seed %d", seed), got.take(), numbers(1, written))
			equal(t, "lost", got.lost, nil)
			if t.Failed() {
				return
			}
		}
	})
}

func TestPythonsRotation(t *testing.T) {
	both(t, func(t *testing.T, d *disk) {
		d.write(words+".log.0.2", numbered(1, 2))
		d.write(words+".log.0.1", numbered(3, 4))
		d.write(words+".log.0", numbered(5, 6))
		c, got := reading(d, all())
		c.mustRead(t, false)
		d.rename(words+".log.0.2", words+".log.0.3")
		d.rename(words+".log.0.1", words+".log.0.2")
		d.rename(words+".log.0", words+".log.0.1")
		d.write(words+".log.0", numbered(7, 8))
		c.mustRead(t, true)
		equal(t, "lines", got.take(), numbers(1, 8))
	})
}

func TestAFilePerProcess(t *testing.T) {
	both(t, func(t *testing.T, d *disk) {
		stmgr := "log-files/heron-stmgr-stmgr-1"
		d.write(stmgr+".node-7.example.org.ann.log.INFO.20260102-030405.77", numbered(1, 3))
		d.write(stmgr+".INFO", numbered(1, 3)) // heron-shell shows what the link leads to
		c, got := reading(d, all())
		c.mustRead(t, false)
		d.write(stmgr+".node-7.example.org.ann.log.INFO.20260102-030405.77", numbered(4, 5))
		d.write(stmgr+".node-7.example.org.ann.log.INFO.20260102-040000.12", numbered(6, 7))
		c.mustRead(t, true)
		equal(t, "lines", got.take(), numbers(1, 7))
	})
}

// A restart in place moves the log folder and begins a new one.
func TestRestartInPlace(t *testing.T) {
	both(t, func(t *testing.T, d *disk) {
		c, got := reading(d, all())
		d.write(words+".log.0", numbered(1, 2))
		c.mustRead(t, false)
		d.write(words+".log.0", numbered(3, 4))
		d.write(words+".log.0", "without an end")
		d.rename("log-files", previousFolder)
		c.mustRead(t, false)
		equal(t, "between the runs", got.take(), numbers(1, 2))
		d.write(words+".log.0", numbered(5, 50))
		c.mustRead(t, false)
		equal(t, "after the restart", got.take(), append(append(numbers(3, 4), "without an end"), numbers(5, 50)...))
		d.remove(previousFolder)
		d.rename("log-files", previousFolder)
		c.mustRead(t, true)
		equal(t, "nothing twice", got.take(), nil)
		equal(t, "lost", got.lost, nil)
	})
}

// The executor's log is in the working directory itself, and kept beside the
// other logs of the run before.
func TestTheExecutorsLog(t *testing.T) {
	both(t, func(t *testing.T, d *disk) {
		const log = "heron-executor-1.stdout"
		c, got := reading(d, all())
		d.write("heron-executor-1.pid", "77\n")
		d.write(words+".log.0", "")
		c.mustRead(t, false)
		d.write(log, numbered(1, 3))
		c.mustRead(t, false)
		d.write(log, numbered(4, 5))
		d.rename(log, "log-files/"+log)
		d.rename("log-files", previousFolder)
		d.write(log, numbered(6, 7))
		for range newLooks {
			c.mustRead(t, false)
		}
		d.write(log, numbered(8, 8))
		c.mustRead(t, true)
		equal(t, "lines", got.take(), numbers(1, 8))
		equal(t, "lost", got.lost, nil)
	})
}

// A start script of the original client keeps nothing of the run before.
func TestAFolderThatIsReplaced(t *testing.T) {
	both(t, func(t *testing.T, d *disk) {
		c, got := reading(d, all())
		d.write(words+".log.0", numbered(1, 200))
		c.mustRead(t, false)
		got.take()
		d.remove("log-files")
		d.write(words+".log.1", numbered(201, 202))
		d.write(words+".log.0", numbered(203, 204))
		c.mustRead(t, false)
		equal(t, "the new run", got.take(), numbers(201, 204))
		equal(t, "lost", got.lost, []string{"container_1_words_3"})
	})
}

func TestATruncatedFile(t *testing.T) {
	both(t, func(t *testing.T, d *disk) {
		c, got := reading(d, all())
		d.write(words+".log.1", numbered(1, 9))
		d.write(words+".log.0", numbered(10, 12))
		c.mustRead(t, false)
		d.remove(words + ".log.0")
		d.write(words+".log.0", "new\n")
		got.take()
		c.mustRead(t, false)
		equal(t, "the older file is not shown again", got.take(), []string{"new"})
	})
}

// Nomad breaks lines where a file of a task's output is full.
func TestTheTasksOutput(t *testing.T) {
	d := newDisk(false)
	o := all()
	o.Stream = "stderr"
	d.write("alloc/logs/executor.stderr.0", "one\ntw")
	d.write("alloc/logs/executor.stdout.0", "other\n")
	c, got := reading(d, o)
	c.mustRead(t, false)
	d.write("alloc/logs/executor.stderr.0", "o\nthr")
	for i := 1; i < 12; i++ {
		d.write(fmt.Sprintf("alloc/logs/executor.stderr.%d", i), fmt.Sprintf("ee %d\nthr", i))
	}
	c.mustRead(t, false)
	want := []string{"one", "two"}
	for i := 1; i < 12; i++ {
		want = append(want, fmt.Sprintf("three %d", i))
	}
	equal(t, "lines", got.take(), want)
}

func TestSince(t *testing.T) {
	at := time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	o := all()
	o.Since, o.Now = at, func() time.Time { return at.Add(time.Hour) }
	d := newDisk(false)
	d.clock = at.Add(-2 * time.Hour)
	d.write(words+".log.1", "[2026-03-04 11:00:00 +0000] [INFO] a file that was closed before does not count\n")
	d.clock = at.Add(time.Hour)
	d.write(words+".log.0", "no time yet\n"+
		"[2026-03-04 09:59:59 +0000] [INFO] old\n  its trace\n"+
		"[2026-03-04 11:00:00 +0200] [INFO] old, too\n"+
		"[2026-03-04 10:00:01 +0000] [INFO] new\n  its trace\n"+
		"I0304 09:00:00.000000 77 x.cpp:1] old\n"+
		"I0304 10:30:00.000000 77 x.cpp:1] of glog\n"+
		"2026/03/04 09:00:00.000000 old\n2026-03-04T10:00:00Z of ours\n")
	c, got := reading(d, o)
	c.mustRead(t, true)
	equal(t, "lines", got.take(), []string{
		"no time yet", "[2026-03-04 10:00:01 +0000] [INFO] new", "  its trace",
		"I0304 10:30:00.000000 77 x.cpp:1] of glog", "2026-03-04T10:00:00Z of ours",
	})
}

// heron-shell logs every request, so its own log is not read through it unless it
// is asked for, and folders that are not there are not asked for.
func TestThroughHeronShellWithoutItsOwnLog(t *testing.T) {
	d := newDisk(true)
	for _, name := range []string{"heron-executor-1.stdout", "log-files/heron-shell-1.log", "log-files/heron-stmgr-stmgr-1.vm.root.log.INFO.20260304-100000.7"} {
		d.write(name, name+"\n")
	}
	d.between = func(what string) {
		if what == "list "+previousFolder {
			t.Error("a folder was listed that is not there")
		}
	}
	for file, want := range map[string][]string{
		"":                  {"heron-executor-1.stdout", "log-files/heron-stmgr-stmgr-1.vm.root.log.INFO.20260304-100000.7"},
		"heron-shell-1.log": {"log-files/heron-shell-1.log"},
	} {
		c, got := reading(d, Options{Tail: Everything, File: file})
		c.mustRead(t, true)
		equal(t, "file "+file, got.take(), want)
	}
}

func TestWhichFiles(t *testing.T) {
	d := newDisk(false)
	for _, name := range []string{
		"log-files/heron-executor-1.log", "log-files/heron-shell-1.log", "log-files/metricsmgr-1.log.0", "log-files/metricsmgr-1.log.0.lck",
		"log-files/gc.metricsmgr-1.log", "log-files/container_1_words_3.log.0", "log-files/container_1_word_count_4.log.0",
		"log-files/core.77", "heron-conf/override.yaml", "stdout",
	} {
		d.write(name, name+"\n")
	}
	for what, c := range map[string]struct {
		o    Options
		want []string
	}{
		"logs": {Options{}, []string{
			"log-files/container_1_word_count_4.log.0", "log-files/container_1_words_3.log.0", "log-files/heron-executor-1.log",
			"log-files/heron-shell-1.log", "log-files/metricsmgr-1.log.0",
		}},
		"a component":   {Options{Component: "word_count"}, []string{"log-files/container_1_word_count_4.log.0"}},
		"a name":        {Options{File: "gc.metricsmgr-1.log"}, []string{"log-files/gc.metricsmgr-1.log"}},
		"a name above":  {Options{File: "stdout"}, []string{"stdout"}},
		"a path":        {Options{File: "heron-conf/override.yaml"}, []string{"heron-conf/override.yaml"}},
		"no such thing": {Options{File: "heron-conf/x"}, nil},
	} {
		c.o.Tail = Everything
		one, got := reading(d, c.o)
		one.mustRead(t, true)
		equal(t, what, got.take(), c.want)
	}
	for _, file := range []string{"../secrets/x", "/etc/passwd", "a/../b", "a/", ".", ".."} {
		if err := (Options{File: file, Tail: Everything}).check(); err == nil {
			t.Errorf("file %q is not refused", file)
		}
	}
}
