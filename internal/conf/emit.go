package conf

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/lazyregexp"
)

// emit writes a map as YAML that every reader of Heron's (Java, Python, C++)
// types the same: one key per line, strings quoted where another type could
// be read.
func emit(m mapping) []byte {
	if len(m) == 0 {
		return []byte("{}\n")
	}
	var b strings.Builder
	emitMap(&b, m, "")
	return []byte(b.String())
}

func emitMap(b *strings.Builder, m mapping, indent string) {
	for _, p := range m {
		text, ok := emitScalar(p.key)
		if !ok {
			// Only a list or map as key, which nothing of Heron's reads.
			text = quote(javaText(p.key))
		}
		b.WriteString(indent + text + ":")
		emitValue(b, p.value, indent)
	}
}

func emitValue(b *strings.Builder, v any, indent string) {
	switch v := v.(type) {
	case mapping:
		if len(v) == 0 {
			b.WriteString(" {}\n")
			return
		}
		b.WriteString("\n")
		emitMap(b, v, indent+"  ")
	case []any:
		if len(v) == 0 {
			b.WriteString(" []\n")
			return
		}
		b.WriteString("\n")
		for _, item := range v {
			b.WriteString(indent + "  -")
			emitValue(b, item, indent+"  ")
		}
	default:
		text, _ := emitScalar(v)
		b.WriteString(" " + text + "\n")
	}
}

func emitScalar(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "null", true
	case string:
		return quote(v), true
	case []byte:
		return "!!binary " + quote(base64.StdEncoding.EncodeToString(v)), true
	case *big.Int, bool, int32, int64, byteAmount, float64:
		return scalarText(v)
	case time.Time:
		text, ok := scalarText(v)
		if plainTag(text) != tagTime {
			// Readers take a year of four digits only for one.
			text = quote(text)
		}
		return text, ok
	}
	return "", false
}

// floatText writes a number so that YAML 1.1 reads it as one that is not
// whole: with a dot, and a sign in the exponent.
func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return ".nan"
	case math.IsInf(f, 1):
		return ".inf"
	case math.IsInf(f, -1):
		return "-.inf"
	}
	s := strconv.FormatFloat(f, 'g', -1, 64)
	mantissa, exponent, hasExponent := strings.Cut(s, "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	if !hasExponent {
		return mantissa
	}
	return mantissa + "e" + exponent
}

// plainForm is what no reader takes for anything but a string, given that
// plainTag agrees.
var plainForm = lazyregexp.New(`^[A-Za-z_/$.][A-Za-z0-9_/$.:;,@%+=*()!?~{}\- ]*$`)

func quote(s string) string {
	plain := plainForm.MatchString(s) && plainTag(s) == tagString &&
		!strings.Contains(s, ": ") && !strings.HasSuffix(s, ":") && !strings.HasSuffix(s, " ") &&
		!strings.HasPrefix(s, "...") && !strings.EqualFold(s, "y") && !strings.EqualFold(s, "n")
	if plain {
		return s
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == '\u0085' || r == '\u2028' || r == '\u2029' || r == '\ufeff' {
			return escaped(s)
		}
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

func escaped(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f || r == '\u0085':
			fmt.Fprintf(&b, `\x%02x`, r)
		case r == '\u2028' || r == '\u2029' || r == '\ufeff':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
