package conf

import (
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"
)

// HTTPUpload is a server that takes packages by POST and answers with the URI
// that each then has.
type HTTPUpload struct {
	// URI is where to post to: http or https, with a host and without user.
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
	// NoVerify says that this machine need not be able to fetch what it has
	// uploaded: nodes reach the server by another network.
	NoVerify bool
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
	keyHTTPVerify     = "heron.uploader.http.verify"
)

var httpUploadKeys = [...]string{
	keyHTTPURI, keyHTTPToken, keyHTTPTokenFile, keyHTTPCACert, keyHTTPClientCert, keyHTTPClientKey,
	keyHTTPServerName, keyHTTPSkipVerify, keyHTTPTimeout, keyHTTPDelete, keyHTTPVerify,
}

// VarHTTPToken is the environment variable that holds the bearer token. It
// wins over the file.
const VarHTTPToken = "HERON_UPLOADER_HTTP_TOKEN" //nolint:gosec // a variable's name

func (r *reader) httpUpload() HTTPUpload {
	h := HTTPUpload{
		URI:             r.place(keyHTTPURI, ""),
		Token:           r.uploadSecret(VarHTTPToken, keyHTTPTokenFile, keyHTTPToken),
		CACert:          r.absolute(keyHTTPCACert),
		ClientCert:      r.absolute(keyHTTPClientCert),
		ClientKey:       r.secretKeyFile(keyHTTPClientKey),
		ServerName:      r.text(keyHTTPServerName, ""),
		SkipVerify:      r.flag(keyHTTPSkipVerify, false),
		ResponseTimeout: r.span(keyHTTPTimeout, time.Second, 5*time.Minute),
		NoDelete:        !r.flag(keyHTTPDelete, true),
		NoVerify:        !r.flag(keyHTTPVerify, true),
	}
	r.checkHTTPUpload(h)
	return h
}

func (r *reader) checkHTTPUpload(h HTTPUpload) {
	// The value itself is not repeated: it may hold a password.
	u, err := url.Parse(h.URI)
	switch {
	case h.URI == "":
		r.wrong(keyHTTPURI, "missing", "set it to where packages are posted, such as http://host:9000/api/v1/file/upload")
	case err == nil && u.User != nil || holdsPassword(h.URI):
		r.wrong(keyHTTPURI, "has a user or password in it", "leave them out; a bearer token goes into "+keyHTTPTokenFile+" or "+VarHTTPToken)
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Fragment != "":
		r.wrong(keyHTTPURI, "is not the URI of a server", "write it as http://host:9000/api/v1/file/upload, or with https")
	case u.Scheme == "http" && r.httpTLS() != "":
		// Half of it would be worse than an error: a connection that its owner
		// takes for a safe one.
		r.wrong(r.httpTLS(), "is set, but "+keyHTTPURI+" is without TLS", "begin that with https:, or leave this out")
	case h.ClientCert != "" && h.ClientKey == "":
		r.wrong(keyHTTPClientCert, "is a certificate without its key", "set "+keyHTTPClientKey+" too")
	case h.ClientCert == "" && h.ClientKey != "":
		r.wrong(keyHTTPClientKey, "is a key without its certificate", "set "+keyHTTPClientCert+" too")
	case h.SkipVerify && (h.CACert != "" || h.ServerName != ""):
		r.wrong(keyHTTPSkipVerify, "takes any certificate, but another key says which one to take", "leave one of them out")
	}
	if strings.ContainsFunc(string(h.Token), func(c rune) bool { return c <= ' ' || c > unicode.MaxASCII || c == 0x7f }) {
		r.wrong(keyHTTPTokenFile, "the bearer token, from there, "+keyHTTPToken+" or "+VarHTTPToken+", holds a space, a control character or one beyond ASCII", "give the token and nothing else")
	}
	for _, key := range []string{keyHTTPCACert, keyHTTPClientCert, keyHTTPClientKey} {
		file := r.text(key, "")
		if file == "" {
			continue
		}
		f, err := os.Open(file)
		if err != nil {
			r.wrong(key, "cannot be read: "+err.Error(), "name a PEM file of this machine")
			continue
		}
		_ = f.Close()
	}
}

// httpTLS is the first key that only makes sense with TLS and is set.
func (r *reader) httpTLS() string {
	keys := []string{keyHTTPCACert, keyHTTPClientCert, keyHTTPClientKey, keyHTTPServerName, keyHTTPSkipVerify}
	for _, key := range keys[:4] {
		if r.text(key, "") != "" {
			return key
		}
	}
	if r.flag(keyHTTPSkipVerify, false) {
		return keyHTTPSkipVerify
	}
	return ""
}
