package conf

import "time"

// HTTPUpload is a server that takes packages by POST and answers with the URI
// that each then has.
type HTTPUpload struct {
	// URI is where to post to.
	URI string
	// Token is sent as bearer token, to the server of URI alone.
	Token Secret `json:"-"`
	// CACert, ClientCert and ClientKey are PEM files; ServerName is the name
	// that the certificate must have where it is not the URI's.
	CACert, ClientCert, ClientKey, ServerName string
	SkipVerify                                bool
	// ResponseTimeout bounds the wait for an answer once all is sent.
	ResponseTimeout time.Duration
	// NoDelete says that the server cannot delete, so that it is not asked.
	NoDelete bool
}

const (
	keyHTTPURI        = "heron.uploader.http.uri"
	keyHTTPToken      = "heron.uploader.http.token"      //nolint:gosec // a key's name
	keyHTTPTokenFile  = "heron.uploader.http.token.file" //nolint:gosec // a key's name
	keyHTTPCACert     = "heron.uploader.http.tls.ca.cert"
	keyHTTPClientCert = "heron.uploader.http.tls.client.cert"
	keyHTTPClientKey  = "heron.uploader.http.tls.client.key"
	keyHTTPServerName = "heron.uploader.http.tls.server.name"
	keyHTTPSkipVerify = "heron.uploader.http.tls.skip.verify"
	keyHTTPTimeout    = "heron.uploader.http.response.timeout"
	keyHTTPDelete     = "heron.uploader.http.delete"
)

var httpUploadKeys = [...]string{
	keyHTTPURI, keyHTTPToken, keyHTTPTokenFile, keyHTTPCACert, keyHTTPClientCert, keyHTTPClientKey,
	keyHTTPServerName, keyHTTPSkipVerify, keyHTTPTimeout, keyHTTPDelete,
}

// VarHTTPToken is the environment variable that holds the bearer token. It
// wins over the file.
const VarHTTPToken = "HERON_UPLOADER_HTTP_TOKEN" //nolint:gosec // a variable's name

func (r *reader) httpUpload() HTTPUpload {
	return HTTPUpload{
		URI:             r.place(keyHTTPURI, ""),
		Token:           r.uploadSecret(VarHTTPToken, keyHTTPTokenFile, keyHTTPToken),
		CACert:          r.absolute(keyHTTPCACert),
		ClientCert:      r.absolute(keyHTTPClientCert),
		ClientKey:       r.secretFile(keyHTTPClientKey),
		ServerName:      r.text(keyHTTPServerName, ""),
		SkipVerify:      r.flag(keyHTTPSkipVerify, false),
		ResponseTimeout: r.span(keyHTTPTimeout, time.Second, 5*time.Minute),
		NoDelete:        !r.flag(keyHTTPDelete, true),
	}
}
