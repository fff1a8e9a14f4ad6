package conf

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/lazyregexp"
)

// Plain scalars are typed by the rules of YAML 1.1 with the few changes of
// SnakeYAML 1.33, which Heron reads its files with: 1e3 is a number, 0o10 is
// a string, 1:30 is ninety.
var (
	boolForm  = lazyregexp.New(`^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$`)
	nullForm  = lazyregexp.New(`^(?:~|null|Null|NULL|)$`)
	intForm   = lazyregexp.New(`^(?:[-+]?0b_*[01]+[01_]*|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x_*[0-9a-fA-F]+[0-9a-fA-F_]*|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$`)
	floatForm = lazyregexp.New(`^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
	timeForm  = lazyregexp.New(`^([0-9]{4})-([0-9][0-9]?)-([0-9][0-9]?)(?:(?:[Tt]|[ \t]+)([0-9][0-9]?):([0-9][0-9]):([0-9][0-9](?:\.[0-9]*)?)(?:[ \t]*(?:Z|([-+][0-9][0-9]?)(?::([0-9][0-9]))?))?)?$`)
	dayForm   = lazyregexp.New(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
)

const (
	tagString = "!!str"
	tagInt    = "!!int"
	tagFloat  = "!!float"
	tagBool   = "!!bool"
	tagNull   = "!!null"
	tagTime   = "!!timestamp"
	tagBinary = "!!binary"
)

// plainTag is the type of a scalar without quotes and without a tag.
func plainTag(s string) string {
	switch {
	case boolForm.MatchString(s):
		return tagBool
	case intForm.MatchString(s):
		return tagInt
	case floatForm.MatchString(s):
		return tagFloat
	case nullForm.MatchString(s):
		return tagNull
	case timeForm.MatchString(s) && (len(s) > 10 || dayForm.MatchString(s)):
		return tagTime
	}
	return tagString
}

// parseScalar gives a scalar the type of its tag.
func parseScalar(tag, s string) (any, error) {
	switch tag {
	case tagString:
		return s, nil
	case tagNull:
		return nil, nil
	case tagBool:
		return parseYAMLBool(s)
	case tagInt:
		return parseYAMLInt(s)
	case tagFloat:
		return parseYAMLFloat(s)
	case tagTime:
		return parseYAMLTime(s)
	case tagBinary:
		return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
	}
	return nil, fmt.Errorf("tag %s cannot be read", tag)
}

func parseYAMLBool(s string) (any, error) {
	switch strings.ToLower(s) {
	case "yes", "true", "on":
		return true, nil
	case "no", "false", "off":
		return false, nil
	}
	return nil, fmt.Errorf("%q is not a boolean", s)
}

func parseYAMLInt(s string) (any, error) {
	digits, negative := unsigned(strings.ReplaceAll(s, "_", ""))
	base := 10
	switch {
	case digits == "0":
		return int32(0), nil
	case strings.HasPrefix(digits, "0b"):
		digits, base = digits[2:], 2
	case strings.HasPrefix(digits, "0x"):
		digits, base = digits[2:], 16
	case strings.HasPrefix(digits, "0"):
		digits, base = digits[1:], 8
	case strings.Contains(digits, ":"):
		n, err := sexagesimal(digits)
		if err != nil {
			return nil, fmt.Errorf("%q is not an integer: %w", s, err)
		}
		digits = strconv.FormatInt(int64(n), 10)
	}
	if negative {
		digits = "-" + digits
	}
	n, ok := new(big.Int).SetString(digits, base)
	if !ok {
		return nil, fmt.Errorf("%q is not an integer", s)
	}
	return narrow(n, strings.TrimPrefix(digits, "-"), base), nil
}

// narrow picks int32, int64 or *big.Int. Heron's reader goes by the number of
// digits first, so leading zeros widen a number.
func narrow(n *big.Int, digits string, base int) any {
	width := func(limit int64) int { return len(strconv.FormatInt(limit, base)) }
	switch {
	case len(digits) <= width(math.MaxInt32) && n.IsInt64() && int64(int32(n.Int64())) == n.Int64():
		return int32(n.Int64())
	case len(digits) <= width(math.MaxInt64) && n.IsInt64():
		return n.Int64()
	}
	return n
}

// sexagesimal reads "1:30" as ninety, with the 32-bit arithmetic of the
// reader it follows.
func sexagesimal(s string) (int32, error) {
	parts := strings.Split(s, ":")
	sum, unit := int32(0), int32(1)
	for i := len(parts) - 1; i >= 0; i-- {
		n, err := strconv.ParseInt(parts[i], 10, 64)
		if err != nil {
			return 0, err
		}
		sum = int32(int64(sum) + n*int64(unit))
		unit *= 60
	}
	return sum, nil
}

func parseYAMLFloat(s string) (any, error) {
	digits, negative := unsigned(strings.ReplaceAll(s, "_", ""))
	sign := 1.0
	if negative {
		sign = -1
	}
	switch strings.ToLower(digits) {
	case ".inf":
		return math.Inf(int(sign)), nil
	case ".nan":
		return math.NaN(), nil
	}
	sum, unit := 0.0, 1.0
	parts := strings.Split(digits, ":")
	for i := len(parts) - 1; i >= 0; i-- {
		f, err := strconv.ParseFloat(parts[i], 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return nil, fmt.Errorf("%q is not a number", s)
		}
		sum += f * unit
		unit *= 60
	}
	return sign * sum, nil
}

func parseYAMLTime(s string) (any, error) {
	m := timeForm.FindStringSubmatch(s)
	if m == nil {
		return nil, fmt.Errorf("%q is not a date", s)
	}
	number := func(s string) int { n, _ := strconv.Atoi(s); return n }
	seconds, _ := strconv.ParseFloat("0"+m[6], 64)
	whole := math.Floor(seconds)
	millis := math.Round((seconds - whole) * 1000)
	t := time.Date(number(m[1]), time.Month(number(m[2])), number(m[3]),
		number(m[4]), number(m[5]), int(whole), int(millis)*int(time.Millisecond), time.UTC)
	offset := time.Duration(number(m[7]))*time.Hour + time.Duration(number(m[8]))*time.Minute
	if strings.HasPrefix(m[7], "-") {
		offset -= 2 * time.Duration(number(m[8])) * time.Minute
	}
	return t.Add(-offset), nil
}

func unsigned(s string) (digits string, negative bool) {
	switch {
	case strings.HasPrefix(s, "-"):
		return s[1:], true
	case strings.HasPrefix(s, "+"):
		return s[1:], false
	}
	return s, false
}
