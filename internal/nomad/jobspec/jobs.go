package jobspec

import (
	"strconv"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// Stopped says that a job was stopped; its containers may not have ended yet.
func Stopped(job *api.Job) bool { return job.Stop != nil && *job.Stop }

// OriginalIndex is the container's index in the id of a job of the original
// client, "<topology id>-<index>"; ok is false for another id.
func OriginalIndex(jobID, topologyID string) (index int, ok bool) {
	digits, ok := strings.CutPrefix(jobID, topologyID+"-")
	index, err := strconv.Atoi(digits)
	if !ok || err != nil || index < 0 || digits[0] == '+' {
		return 0, false
	}
	return index, true
}
