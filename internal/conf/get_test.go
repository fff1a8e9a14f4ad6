package conf

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestGetters(t *testing.T) {
	c, err := resolved(t, map[string]string{"client.yaml": `
number: 42
text: "42"
big: 3000000000
huge: 99999999999999999999
float: 2.50
flag: "On"
null_value: ~
list: [a, 1]
commas: "a,,b,,"
none: ""
size: 1.5 GiB
span: 1m30s
`}).Local()
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		Value any
		OK    bool
		Wrong bool
	}
	read := func(v any, ok bool, err error) result {
		if !ok {
			v = nil
		}
		return result{v, ok, err != nil}
	}
	wrong := result{nil, false, true}
	missing := result{nil, false, false}
	for what, c := range map[string][2]result{
		"number as text":        {read(unpack(c.String("number"))), {"42", true, false}},
		"float as written":      {read(unpack(c.String("float"))), {"2.50", true, false}},
		"list as text":          {read(unpack(c.String("list"))), wrong},
		"missing":               {read(unpack(c.String("nothing"))), missing},
		"no value":              {read(unpack(c.Int("null_value"))), missing},
		"flag as text":          {read(unpack(c.Bool("flag"))), {true, true, false}},
		"number as flag":        {read(unpack(c.Bool("number"))), wrong},
		"text as number":        {read(unpack(c.Int("text"))), {42, true, false}},
		"number beyond 32 bits": {read(unpack(c.Int("big"))), wrong},
		"number within 64 bits": {read(unpack(c.Int64("big"))), {int64(3000000000), true, false}},
		"number beyond 64 bits": {read(unpack(c.Int64("huge"))), wrong},
		"huge as float":         {read(unpack(c.Float64("huge"))), {1e20, true, false}},
		"number as float":       {read(unpack(c.Float64("number"))), {42.0, true, false}},
		"flag as float":         {read(unpack(c.Float64("flag"))), wrong},
		"size":                  {read(unpack(c.Bytes("size"))), {int64(3 << 29), true, false}},
		"number as size":        {read(unpack(c.Bytes("number"))), {int64(42), true, false}},
		"span as size":          {read(unpack(c.Bytes("span"))), wrong},
		"span":                  {read(unpack(c.Duration("span", time.Second))), {90 * time.Second, true, false}},
		"number as span":        {read(unpack(c.Duration("number", time.Millisecond))), {42 * time.Millisecond, true, false}},
		"too long a span":       {read(unpack(c.Duration("big", time.Hour*24*365))), wrong},
		"list":                  {read(unpack(c.List("list"))), {[]string{"a", "1"}, true, false}},
		"commas":                {read(unpack(c.List("commas"))), {[]string{"a", "", "b"}, true, false}},
		"empty text as list":    {read(unpack(c.List("none"))), {[]string{""}, true, false}},
	} {
		if diff := cmp.Diff(c[1], c[0]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

func TestKeysAreInOrder(t *testing.T) {
	c, err := resolved(t, map[string]string{"client.yaml": "b: 1\na: 1\n"}).Local()
	if err != nil {
		t.Fatal(err)
	}
	keys := c.Keys()
	if keys[0] != "a" || keys[1] != "b" || keys[len(keys)-1] != "heron.topology.metricscachemgr.mode" {
		t.Errorf("%v", keys)
	}
}
