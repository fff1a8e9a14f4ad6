package conf

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config is a configuration with its tokens replaced: flat, one value per
// key. It does not change.
//
// The getters return ok false where a key is missing or has no value, and an
// *Error where its value cannot be read as the type asked for. Booleans and
// numbers may be given as strings.
type Config struct {
	values map[string]*entry
}

// Keys returns all keys in order.
func (c *Config) Keys() []string { return sortedKeys(c.values) }

func (c *Config) lookup(key string) (*entry, bool) {
	e, ok := c.values[key]
	return e, ok && e.value != nil
}

// String returns text; a number or boolean comes as it was written.
func (c *Config) String(key string) (value string, ok bool, err error) {
	e, ok := c.lookup(key)
	if !ok {
		return "", false, nil
	}
	if s, isString := e.value.(string); isString {
		return s, true, nil
	}
	if _, isScalar := scalarText(e.value); !isScalar {
		return "", false, e.wrong(key, "is "+kindName(e.value), "give it text")
	}
	return e.text, true, nil
}

// Bool returns a boolean; as text it may be any of YAML's words for one.
func (c *Config) Bool(key string) (value, ok bool, err error) {
	e, ok := c.lookup(key)
	if !ok {
		return false, false, nil
	}
	switch v := e.value.(type) {
	case bool:
		return v, true, nil
	case string:
		if b, err := parseYAMLBool(v); err == nil {
			return b.(bool), true, nil
		}
	}
	return false, false, e.wrong(key, e.shown()+" is not a boolean", "use true or false")
}

// Int64 returns a whole number.
func (c *Config) Int64(key string) (value int64, ok bool, err error) {
	e, ok := c.lookup(key)
	if !ok {
		return 0, false, nil
	}
	n, good := wholeNumber(e.value)
	if !good {
		return 0, false, e.wrong(key, e.shown()+" is not a whole number of at most 64 bits", "")
	}
	return n, true, nil
}

// Int returns a whole number of at most 32 bits.
func (c *Config) Int(key string) (value int, ok bool, err error) {
	n, ok, err := c.Int64(key)
	if ok && int64(int32(n)) != n {
		e := c.values[key]
		return 0, false, e.wrong(key, e.shown()+" is out of range", "the largest is 2147483647")
	}
	return int(n), ok, err
}

// Float64 returns a number.
func (c *Config) Float64(key string) (value float64, ok bool, err error) {
	e, ok := c.lookup(key)
	if !ok {
		return 0, false, nil
	}
	switch v := e.value.(type) {
	case float64:
		return v, true, nil
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f, true, nil
	case string:
		if f, err := strconv.ParseFloat(strings.TrimSpace(v), 64); err == nil {
			return f, true, nil
		}
	}
	if n, good := wholeNumber(e.value); good {
		return float64(n), true, nil
	}
	return 0, false, e.wrong(key, e.shown()+" is not a number", "")
}

// Bytes returns a size in bytes: a plain number, or one with a unit such as
// 512MB or 1.5GiB. All units are powers of 1024, as everywhere in Heron.
func (c *Config) Bytes(key string) (value int64, ok bool, err error) {
	e, ok := c.lookup(key)
	if !ok {
		return 0, false, nil
	}
	if n, good := wholeNumber(e.value); good {
		return n, true, nil
	}
	if s, isString := e.value.(string); isString {
		if n, good := parseSize(s); good {
			return n, true, nil
		}
	}
	return 0, false, e.wrong(key, e.shown()+" is not a size", "use bytes, or a unit: 1073741824, 512MB, 1GiB")
}

// Duration returns a span of time: a plain number counts units, text may
// carry its own, such as 30s or 2m.
func (c *Config) Duration(key string, unit time.Duration) (value time.Duration, ok bool, err error) {
	e, ok := c.lookup(key)
	if !ok {
		return 0, false, nil
	}
	if n, good := wholeNumber(e.value); good {
		d := time.Duration(n) * unit
		if d/unit == time.Duration(n) {
			return d, true, nil
		}
	}
	if s, isString := e.value.(string); isString {
		if d, err := time.ParseDuration(strings.TrimSpace(s)); err == nil {
			return d, true, nil
		}
	}
	return 0, false, e.wrong(key, e.shown()+" is not a span of time", "use a number of "+unitName(unit)+" or a unit: 500ms, 30s, 2m")
}

// List returns texts: a list, or one text split at commas.
func (c *Config) List(key string) (values []string, ok bool, err error) {
	e, ok := c.lookup(key)
	if !ok {
		return nil, false, nil
	}
	if items, isList := e.value.([]any); isList {
		for _, item := range items {
			s, isScalar := scalarText(item)
			if !isScalar {
				return nil, false, e.wrong(key, "holds "+kindName(item), "give it a list of texts")
			}
			values = append(values, s)
		}
		return values, true, nil
	}
	s, ok, err := c.String(key)
	if err != nil {
		return nil, false, e.wrong(key, "is "+kindName(e.value), "give it a list, or one text with commas")
	}
	return splitCommas(s), ok, nil
}

// splitCommas keeps empty parts except at the end, where Java drops them too;
// an empty text is one empty part.
func splitCommas(s string) []string {
	if s == "" {
		return []string{""}
	}
	parts := strings.Split(s, ",")
	for len(parts) > 0 && parts[len(parts)-1] == "" {
		parts = slices.Clip(parts[:len(parts)-1])
	}
	return parts
}

func wholeNumber(v any) (int64, bool) {
	switch v := v.(type) {
	case int32:
		return int64(v), true
	case int64:
		return v, true
	case byteAmount:
		return int64(v), true
	case string:
		n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		return n, err == nil
	}
	return 0, false
}

// shown is a value for a message.
func (e *entry) shown() string {
	if _, ok := scalarText(e.value); ok {
		return strconv.Quote(e.text)
	}
	return kindName(e.value)
}

func unitName(unit time.Duration) string {
	switch unit {
	case time.Millisecond:
		return "milliseconds"
	case time.Second:
		return "seconds"
	}
	return unit.String()
}

func parseSize(s string) (int64, bool) {
	s = strings.TrimSpace(s)
	end := len(s)
	for end > 0 && (s[end-1] < '0' || s[end-1] > '9') && s[end-1] != '.' {
		end--
	}
	shift, known := map[string]uint{
		"": 0, "b": 0,
		"k": 10, "kb": 10, "kib": 10,
		"m": 20, "mb": 20, "mib": 20,
		"g": 30, "gb": 30, "gib": 30,
		"t": 40, "tb": 40, "tib": 40,
	}[strings.ToLower(strings.TrimSpace(s[end:]))]
	f, err := strconv.ParseFloat(s[:end], 64)
	size := f * float64(int64(1)<<shift)
	// There is no half byte: a fraction needs a unit.
	if !known || err != nil || size < 0 || size >= 1<<62 || shift == 0 && size != math.Trunc(size) {
		return 0, false
	}
	return int64(size), true
}

// ParseSize reads a size as Bytes does.
func ParseSize(text string) (int64, bool) {
	if n, good := wholeNumber(text); good {
		return n, true
	}
	return parseSize(text)
}
