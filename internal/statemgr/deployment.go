package statemgr

import (
	"encoding/json"
	"fmt"
	"time"
)

// deploymentFormat is the version of DeploymentRecord's format.
const deploymentFormat = 1

// DeploymentRecord says what a topology's submission made and where, for
// later commands, which may run on another machine with another configuration.
// It holds no secrets. A record whose TopologyID is not that of the definition
// is stale.
type DeploymentRecord struct {
	// Version is that of the format, 1. Encode sets it.
	Version    int    `json:"version"`
	TopologyID string `json:"topology_id"`
	Nomad      struct {
		// Address is the URL of the servers; an empty Region or Namespace stands
		// for the default.
		Address    string `json:"address"`
		Region     string `json:"region,omitempty"`
		Namespace  string `json:"namespace,omitempty"`
		JobID      string `json:"job_id"`
		JobVersion uint64 `json:"job_version"`
	} `json:"nomad"`
	Package struct {
		// Uploader is the kind that stored the package, URI identifies it there.
		Uploader string `json:"uploader"`
		URI      string `json:"uri"`
		SHA256   string `json:"sha256"`
		// Size is in bytes.
		Size int64 `json:"size"`
	} `json:"package"`
	ClientVersion string `json:"client_version"`
	SubmittedBy   string `json:"submitted_by"`
	// Via is who asked an API server for it.
	Via Via `json:"via,omitzero"`
	// SubmittedAt is kept in UTC, to the second.
	SubmittedAt  time.Time `json:"submitted_at"`
	ConfigDigest string    `json:"config_digest"`
}

// Encode returns what the store keeps: JSON, the same bytes for the same record.
func (r DeploymentRecord) Encode() ([]byte, error) {
	r.Version = deploymentFormat
	r.SubmittedAt = r.SubmittedAt.UTC().Truncate(time.Second)
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode deployment record of %s: %w", r.TopologyID, err)
	}
	return data, nil
}

// DecodeDeployment reads a record. Unknown fields are ignored; a record of a
// later version is an error, because its meaning may differ.
func DecodeDeployment(data []byte) (DeploymentRecord, error) {
	var r DeploymentRecord
	if err := json.Unmarshal(data, &r); err != nil {
		return DeploymentRecord{}, fmt.Errorf("decode deployment record: %w", err)
	}
	if r.Version != deploymentFormat {
		return DeploymentRecord{}, fmt.Errorf("decode deployment record: it has version %d, but this program knows version %d: use the release that wrote it, or a later one",
			r.Version, deploymentFormat)
	}
	return r, nil
}
