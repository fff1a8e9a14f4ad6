package e2e

import (
	"os/exec"
	"strings"
	"testing"
)

// pressTab loads the script that heron made in a real bash, as bash-completion
// would, and prints what Tab offers for a line.
const pressTab = `
_get_comp_words_by_ref() {
	words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
	cur=${words[cword]} prev=${words[cword-1]}
}
__ltrim_colon_completions() { :; }
source <("$0" completion bash)
COMP_WORDS=("$0" "$@") COMP_CWORD=$#
COMP_LINE="${COMP_WORDS[*]}" COMP_POINT=${#COMP_LINE} COMP_TYPE=63
__start_heron
printf '%s\n' "${COMPREPLY[@]}"
`

func TestNamesAreCompletedFromTheState(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.properties["heron.nomad.datacenters"] = "nowhere" // it need not run
	c.want(c.submit(), 0)
	var flags []string
	for key, value := range c.properties {
		flags = append(flags, "--config-property", key+"="+value)
	}
	asked := c.heron(append(append([]string{"__complete", "kill"}, flags...), "nomad", "")...)
	c.want(asked, 0, c.topology+"\n")

	cmd := exec.Command("bash", append(append([]string{"-c", pressTab, bin.heron, "status"}, flags...), "nomad", c.topology[:3])...)
	cmd.Env = c.env
	out, err := cmd.Output() // bash complains that no key was pressed
	if err != nil || strings.TrimSpace(string(out)) != c.topology {
		t.Errorf("%v, bash offers: %s", err, out)
	}
	c.want(c.kill(), 0)
}
