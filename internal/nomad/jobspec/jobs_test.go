package jobspec

import "testing"

func TestOriginalIndex(t *testing.T) {
	for id, want := range map[string]int{
		"words1234-0": 0, "words1234-17": 17,
		"words1234-": -1, "words1234--1": -1, "words1234-+1": -1, "words1234-1x": -1, "words1234": -1, "words12345-1": -1,
	} {
		index, ok := OriginalIndex(id, "words1234")
		if !ok {
			index = -1
		}
		if index != want {
			t.Errorf("%s: %d, want %d", id, index, want)
		}
	}
}
