package statemgr

import (
	"encoding/json"
	"fmt"
	"time"
)

// intentFormat is the version of Intent's form.
const intentFormat = 1

// Operations that leave an Intent.
const (
	OperationSubmit = "submit"
)

// Steps of a submission. An Intent names the one that has begun: what belongs
// to earlier ones is there, what belongs to it may be, what belongs to later
// ones is not.
const (
	StepPackage = "package"
	StepState   = "state"
	StepJob     = "job"
)

// Intent says what an operation is about to do, for those who find it
// unfinished. It is there before anything else of the operation and goes last.
// It holds no secrets.
type Intent struct {
	// Version is that of the form, 1. Encode sets it.
	Version   int    `json:"version"`
	Operation string `json:"operation"`
	Step      string `json:"step"`
	// TopologyID is the id that all parts carry. Request is a digest of what
	// was asked for, without the id, times and secrets: equal requests can go on
	// with one another's work.
	TopologyID string `json:"topology_id"`
	Request    string `json:"request"`
	Cluster    string `json:"cluster"`
	Role       string `json:"role"`
	Environ    string `json:"environ"`
	// Package is where it goes; URI is empty until it is known.
	Package struct {
		Uploader string `json:"uploader"`
		Name     string `json:"name"`
		URI      string `json:"uri,omitempty"`
		SHA256   string `json:"sha256"`
		// Size is in bytes.
		Size int64 `json:"size"`
	} `json:"package"`
	Nomad struct {
		Address   string `json:"address"`
		Region    string `json:"region,omitempty"`
		Namespace string `json:"namespace,omitempty"`
		JobID     string `json:"job_id"`
	} `json:"nomad"`
	// SubmittedAt is the time that the state is given, in UTC, to the second.
	SubmittedAt time.Time `json:"submitted_at"`
	Owner       Owner     `json:"owner"`
}

// Encode gives the intent's form in the store: JSON, the same bytes for the
// same intent.
func (i Intent) Encode() ([]byte, error) {
	i.Version = intentFormat
	i.SubmittedAt = i.SubmittedAt.UTC().Truncate(time.Second)
	data, err := json.Marshal(i)
	if err != nil {
		return nil, fmt.Errorf("encode intent of %s: %w", i.TopologyID, err)
	}
	return data, nil
}

// DecodeIntent reads an intent. Fields that it does not know are left out; an
// intent of a later version, or of an operation that this program does not
// know, is an error.
func DecodeIntent(data []byte) (Intent, error) {
	var i Intent
	if err := json.Unmarshal(data, &i); err != nil {
		return Intent{}, fmt.Errorf("decode intent: %w", err)
	}
	if i.Version != intentFormat || i.Operation != OperationSubmit {
		return Intent{}, fmt.Errorf("decode intent: it is of operation %q, version %d, which this program does not know: use the program that wrote it, or a later one",
			i.Operation, i.Version)
	}
	if !isToken(i.Owner.Token) {
		return Intent{}, fmt.Errorf("decode intent: its owner's token is %q, which is none", i.Owner.Token)
	}
	return i, nil
}
