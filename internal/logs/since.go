package logs

import (
	"time"

	"github.com/heron-nomad/heron/internal/lazyregexp"
)

// stamp finds the time that a line of the engine begins with: that of Java and
// Python, "[2026-01-02 03:04:05 +0000]"; RFC 3339; glog's, "I0102 03:04:05.000000",
// with or without a year; and "2026/01/02 03:04:05".
var (
	bracketStamp = lazyregexp.New(`^\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:[.,]\d+)? [+-]\d{4})\]`)
	rfcStamp     = lazyregexp.New(`^\[?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))`)
	glogStamp    = lazyregexp.New(`^[IWEF](\d{4})?(\d{4} \d\d:\d\d:\d\d(?:\.\d+)?) `)
	plainStamp   = lazyregexp.New(`^(\d{4}[/-]\d\d[/-]\d\d \d\d:\d\d:\d\d(?:[.,]\d+)?)`)
)

// lineTime is the time of a line, false where it has none that is understood.
// Where a line names no zone it is UTC, where it names no year that of now.
func lineTime(line []byte, now time.Time) (time.Time, bool) {
	if len(line) < 13 {
		return time.Time{}, false
	}
	head := string(line[:min(len(line), 64)])
	parse := func(text string, layouts ...string) (time.Time, bool) {
		for _, layout := range layouts {
			if t, err := time.Parse(layout, text); err == nil {
				return t, true
			}
		}
		return time.Time{}, false
	}
	if m := bracketStamp.FindStringSubmatch(head); m != nil {
		return parse(m[1], "2006-01-02 15:04:05 -0700")
	}
	if m := rfcStamp.FindStringSubmatch(head); m != nil {
		return parse(m[1], time.RFC3339)
	}
	if m := glogStamp.FindStringSubmatch(head); m != nil {
		if m[1] != "" {
			return parse(m[1]+m[2], "20060102 15:04:05")
		}
		t, ok := parse(m[2], "0102 15:04:05")
		t = t.AddDate(now.UTC().Year(), 0, 0)
		if t.Sub(now) > 48*time.Hour { // of last year
			t = t.AddDate(-1, 0, 0)
		}
		return t, ok
	}
	if m := plainStamp.FindStringSubmatch(head); m != nil {
		return parse(m[1], "2006/01/02 15:04:05", "2006-01-02 15:04:05")
	}
	return time.Time{}, false
}

// sinceFilter leaves out lines from before a time. A line without a time goes
// with the one before it; those before the first with a time are shown.
type sinceFilter struct {
	since, now time.Time
	hidden     bool
}

func (f *sinceFilter) shown(line []byte) bool {
	if f.since.IsZero() {
		return true
	}
	if t, ok := lineTime(line, f.now); ok { // most have whole seconds
		f.hidden = t.Before(f.since.Truncate(time.Second))
	}
	return !f.hidden
}
