package nomad

import "regexp"

// signedQuery is the query of a URL that gives access by itself, anywhere in a
// text.
var signedQuery = regexp.MustCompile(`(?i)\?(?:[^\s"'<>]*&)?(?:x-amz-signature|x-goog-signature|signature|sig|token|access_token)=[^\s"'<>]*`)

// unsigned is a text that is safe to show: without queries that give access.
// Nomad repeats the addresses of artifacts in its messages.
func unsigned(text string) string { return signedQuery.ReplaceAllString(text, "?(hidden)") }
