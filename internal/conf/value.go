package conf

import (
	"math/big"
	"strconv"
	"time"
)

// A value read from YAML is one of nil, bool, int32, int64, *big.Int,
// float64, string, []byte, time.Time, []any and mapping; a built-in default
// may also be a byteAmount. Integers take the narrowest of their three types,
// as Heron's own reader does.

// mapping is a YAML map in the order of its text.
type mapping []pair

type pair struct {
	key   any
	value any
	// text is a scalar value as written, without its quotes.
	text string
	// line is that of the key.
	line int
}

// byteAmount is a size in bytes.
type byteAmount int64

// get returns the value of a string key.
func (m mapping) get(key string) (any, bool) {
	for _, p := range m {
		if k, ok := p.key.(string); ok && k == key {
			return p.value, true
		}
	}
	return nil, false
}

// entry is a value of the configuration and where it came from.
type entry struct {
	value any
	// text is a scalar as written; substitution works on it.
	text   string
	source Source
	// oddKey marks a key that YAML did not read as a string.
	oddKey bool
}

func newEntry(value any, source Source) *entry {
	text, _ := scalarText(value)
	return &entry{value: value, text: text, source: source}
}

// wrong makes an error about this value.
func (e *entry) wrong(key, msg, hint string) *Error {
	if e == nil {
		return &Error{Key: key, Msg: msg, Hint: hint}
	}
	return &Error{Source: e.source, Key: key, Msg: msg, Hint: hint}
}

// scalarText is the text of a scalar; lists, maps, bytes and nothing have
// none.
func scalarText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int32:
		return strconv.FormatInt(int64(v), 10), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case byteAmount:
		return strconv.FormatInt(int64(v), 10), true
	case *big.Int:
		return v.String(), true
	case float64:
		return floatText(v), true
	case time.Time:
		return v.Format("2006-01-02T15:04:05.999Z07:00"), true
	}
	return "", false
}

// kindName says what a value is, for messages.
func kindName(v any) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case bool:
		return "a boolean"
	case int32, int64, byteAmount, *big.Int, float64:
		return "a number"
	case string:
		return "a string"
	case []byte:
		return "binary data"
	case time.Time:
		return "a date"
	case []any:
		return "a list"
	}
	return "a map"
}
