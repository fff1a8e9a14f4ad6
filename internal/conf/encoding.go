package conf

import (
	"bytes"
	"unicode/utf8"
)

// The beginnings of text in encodings that have one. That of UTF-32 in little
// endian begins with that of UTF-16.
const (
	markUTF8    = "\xef\xbb\xbf"
	markUTF16LE = "\xff\xfe"
	markUTF16BE = "\xfe\xff"
	markUTF32BE = "\x00\x00\xfe\xff"
)

// plainText is text as UTF-8 without a byte order mark; msg says why it is
// none. Every process of Heron's reads UTF-8, and few read anything else.
func plainText(data []byte) (text []byte, msg string) {
	switch {
	case bytes.HasPrefix(data, []byte(markUTF8)):
		data = data[len(markUTF8):]
	case bytes.HasPrefix(data, []byte(markUTF16LE)), bytes.HasPrefix(data, []byte(markUTF16BE)), bytes.HasPrefix(data, []byte(markUTF32BE)):
		return nil, "is in UTF-16 or UTF-32"
	}
	if len(data) >= 2 && (data[0] == 0 || data[1] == 0) {
		return nil, "is in UTF-16 or UTF-32, or no text"
	}
	if !utf8.Valid(data) {
		return nil, "is not in UTF-8"
	}
	return data, ""
}

// lineOf is the line of the first byte that is not UTF-8.
func lineOf(data []byte) int {
	line := 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size == 1 {
			return line
		}
		if r == '\n' {
			line++
		}
		data = data[size:]
	}
	return 0
}
