package nomad

import (
	"regexp"

	"github.com/hashicorp/nomad/api"
)

// signedQuery is the query of a URL that lets in whoever has it, wherever in a
// text it stands.
var signedQuery = regexp.MustCompile(`(?i)\?(?:[^\s"'<>]*&)?(?:x-amz-signature|x-goog-signature|signature|sig|token|access_token)=[^\s"'<>]*`)

// unsigned is a text for people: without what lets in whoever reads it. Nomad
// repeats the addresses of artifacts in its messages.
func unsigned(text string) string { return signedQuery.ReplaceAllString(text, "?(hidden)") }

// PackageFetch is where a job of ours fetches the topology's package from, ""
// where it does not tell. It may be a presigned URL, so it is not for show.
func PackageFetch(job *api.Job) string {
	for _, group := range job.TaskGroups {
		for _, task := range group.Tasks {
			if uri := task.Env[envPackageURI]; uri != "" {
				return uri
			}
		}
	}
	return ""
}
