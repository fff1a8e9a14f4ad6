package nomad

import "github.com/heron-nomad/heron/internal/lazyregexp"

// signedQuery is the query of a URL that lets in whoever has it, wherever in a
// text it stands.
var signedQuery = lazyregexp.New(`(?i)\?(?:[^\s"'<>]*&)?(?:x-amz-signature|x-goog-signature|signature|sig|token|access_token)=[^\s"'<>]*`)

// unsigned is a text that is safe to show: without queries that give access.
// Nomad repeats the addresses of artifacts in its messages.
func unsigned(text string) string { return signedQuery.ReplaceAllString(text, "?(hidden)") }
