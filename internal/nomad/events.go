package nomad

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"time"

	"github.com/hashicorp/nomad/api"
)

// eventBatch is what Nomad's stream of events says about one change; a batch
// without an index only shows that the stream lives.
type eventBatch struct {
	Index  uint64
	Events []event
}

// event has the object as it is after the change. Of an allocation Nomad leaves
// out the job, and so the job's version, and the words for its tasks' events.
type event struct {
	Payload struct {
		Job        *eventJob
		Evaluation *api.Evaluation
		Allocation *api.AllocationListStub
		Deployment *api.Deployment
	}
}

// eventJob is as much of a job as shows that it has changed.
type eventJob struct {
	ID             string
	JobModifyIndex uint64
}

// silence is how long a stream may say nothing. Nomad sends a sign of life at
// its beginning and every 10 s or 30 s, depending on its version.
const silence = 75 * time.Second

// streamEvents hands what happens to a job to take, from an index on as far as
// Nomad still has it, until ctx or the stream ends. Events of others are not
// asked for.
func (c *Client) streamEvents(ctx context.Context, jobID string, from uint64, take func(eventBatch)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	query := url.Values{"index": {strconv.FormatUint(from, 10)}}
	for _, topic := range []api.Topic{api.TopicJob, api.TopicEvaluation, api.TopicAllocation, api.TopicDeployment} {
		query.Add("topic", string(topic)+":"+jobID)
	}
	body, err := c.api.Raw().Response("/v1/event/stream?"+query.Encode(), (&api.QueryOptions{}).WithContext(ctx))
	if err != nil {
		return err
	}
	defer body.Close()
	silent := time.AfterFunc(silence, cancel)
	defer silent.Stop()
	for dec := json.NewDecoder(body); ; {
		var batch eventBatch
		if err := dec.Decode(&batch); err != nil {
			return err
		}
		silent.Reset(silence)
		take(batch)
	}
}
