package jsondoc

import "testing"

func TestCheckFindsWhatIsWrong(t *testing.T) {
	const killed = `{"topology":"wc","id":"wc1","found":true,"removed":[],"kept":[]}`
	const failed = `{"error":{"message":"x","kind":"usage","exit_code":2}}`
	for name, c := range map[string]struct {
		command, out string
		stream, good bool
	}{
		"a result":           {"kill", killed, false, true},
		"a failure":          {"kill", failed, false, true},
		"nothing":            {"kill", "", false, false},
		"two documents":      {"kill", killed + killed, false, false},
		"no JSON":            {"kill", "killed", false, false},
		"a field too many":   {"kill", `{"topology":"wc","id":"wc1","found":true,"removed":[],"kept":[],"x":1}`, false, false},
		"a field too few":    {"kill", `{"topology":"wc","id":"wc1","removed":[],"kept":[]}`, false, false},
		"null for a list":    {"kill", `{"topology":"wc","id":"wc1","found":true,"removed":null,"kept":[]}`, false, false},
		"an unknown kind":    {"kill", `{"error":{"message":"x","kind":"odd","exit_code":2}}`, false, false},
		"no such command":    {"frobnicate", killed, false, false},
		"a stream":           {"kill", killed + "\n" + killed + "\n", true, true},
		"an empty stream":    {"kill", "", true, true},
		"one line too many":  {"kill", killed + "\n\n", true, false},
		"a stream of others": {"kill", killed + "\n{}\n", true, false},
	} {
		if err := Check(c.command, c.out, c.stream); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAsked(t *testing.T) {
	for _, c := range []struct {
		args          []string
		asked, stream bool
	}{
		{[]string{"kill", "--output", "json", "nomad", "wc"}, true, false},
		{[]string{"kill", "--output=json", "nomad", "wc"}, true, false},
		{[]string{"kill", "nomad", "wc", "--output"}, false, false},
		{[]string{"kill", "nomad", "json"}, false, false},
		{[]string{"status", "--watch", "--output", "json"}, true, true},
		{nil, false, false},
	} {
		if _, asked, stream := Asked(c.args); asked != c.asked || stream != c.stream {
			t.Errorf("%v: %v, %v", c.args, asked, stream)
		}
	}
}
