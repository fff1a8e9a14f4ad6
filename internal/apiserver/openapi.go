package apiserver

import (
	_ "embed"
	"net/http"
)

// description is what every route takes and answers.
//
//go:embed openapi.yaml
var description []byte

func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request) error {
	writeBody(w, http.StatusOK, "application/yaml", description)
	return nil
}
