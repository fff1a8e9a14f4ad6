package main

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func TestWaitFlags(t *testing.T) {
	const none = time.Duration(0)
	for line, want := range map[string]struct {
		limit, stable time.Duration
		fails         string
	}{
		"":                                  {none, none, ""},
		"--wait":                            {5 * time.Minute, none, ""},
		"--wait=90s":                        {90 * time.Second, none, ""},
		"--wait=true":                       {5 * time.Minute, none, ""},
		"--wait=false":                      {none, none, ""},
		"--wait --stable-for=1m":            {5 * time.Minute, time.Minute, ""},
		"--wait --wait-timeout=20s":         {20 * time.Second, none, ""},
		"--wait-timeout=20s":                {none, none, ""},
		"--wait --wait-timeout=0s":          {none, none, "--wait-timeout is 0s"},
		"--wait=0s":                         {none, none, "give a time above zero"},
		"--wait=soon":                       {none, none, "give a time, as 30s or 5m"},
		"--stable-for=10s":                  {none, none, "add it, as --wait=5m10s"},
		"--wait --stable-for=0s":            {none, none, "--stable-for is 0s"},
		"--wait=1m --stable-for=1m":         {none, none, "does not fit in --wait=1m0s"},
		"--wait --wait-timeout=1m":          {time.Minute, none, ""},
		"--wait=2m --stable-for=-1s --wait": {none, none, "--stable-for is -1s"},
	} {
		var w waitFlags
		f := pflag.NewFlagSet("test", pflag.ContinueOnError)
		w.add(f)
		w.addTimeout(f)
		err := f.Parse(strings.Fields(line))
		if err == nil {
			err = w.check(f)
		}
		switch {
		case want.fails != "":
			if err == nil || !strings.Contains(err.Error(), want.fails) {
				t.Errorf("%s: %v, want %q", line, err, want.fails)
			}
		case err != nil || w.limit() != want.limit || w.stable != want.stable || w.asked() != (want.limit > 0):
			t.Errorf("%s: %s, stable for %s, %v", line, w.limit(), w.stable, err)
		}
	}
}
