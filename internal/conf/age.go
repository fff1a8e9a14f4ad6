package conf

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseAge reads a time as Go does, and whole days and weeks: 12h, 7d, 2w.
func ParseAge(text string) (time.Duration, bool) {
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		number, ok := strings.CutSuffix(text, unit)
		if n, err := strconv.ParseUint(number, 10, 32); ok && err == nil && int64(n) <= math.MaxInt64/int64(length) {
			return time.Duration(n) * length, true
		}
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d >= 0
}
