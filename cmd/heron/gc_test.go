package main

import (
	"testing"
	"time"
)

func TestParseAge(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"7d": 168 * time.Hour, "2w": 336 * time.Hour, "12h": 12 * time.Hour, "90m": 90 * time.Minute, "0": 0, "0d": 0, "1h30m": 90 * time.Minute,
	} {
		if got, err := parseAge(text); err != nil || got != want {
			t.Errorf("%q is %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "7", "-1h", "-7d", "d", "7 d", "1.5d", "99999999w", "7days"} {
		if got, err := parseAge(text); err == nil {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}

func TestAgesAndSizesForAPerson(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0m", -time.Hour: "0m", 90 * time.Minute: "90m", 30 * time.Hour: "30h", 200 * time.Hour: "8d"} {
		if got := age(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 5 << 30: "5.0 GiB", 5 << 50: "5120.0 TiB"} {
		if got := inBytes(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}
