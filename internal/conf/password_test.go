package conf

import "testing"

func TestHoldsPassword(t *testing.T) {
	for text, want := range map[string]bool{
		"http://u:p@h/":                        true,
		"jdbc:mysql://u:p@db/x":                true,
		"one http://h/ two https://u:p@h":      true,
		"amqp+ssl://:p@h":                      true,
		"http://u@h/":                          false,
		"http://h:8080/a@b":                    false,
		"http://h/?q=a:b@c":                    false,
		"user:password@host":                   false,
		"file:///a:b@c":                        false,
		"heron:x@y is no URL, nor is ://u:p@h": false,
	} {
		if got := holdsPassword(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
