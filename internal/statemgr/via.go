package statemgr

import "fmt"

// Via is who asked an API server for an operation; zero for a command line.
type Via struct {
	// Client is user@host, as the client itself says. Token is the name of the token,
	// or of the certificate, that let it in.
	Client string `json:"client,omitempty"`
	Token  string `json:"token,omitempty"`
}

// String says who it was, "" for nobody that is known.
func (v Via) String() string {
	switch {
	case v.Client == "" && v.Token == "":
		return ""
	case v.Token == "":
		return v.Client
	case v.Client == "":
		return "token " + v.Token
	}
	return fmt.Sprintf("%s, token %s", v.Client, v.Token)
}
