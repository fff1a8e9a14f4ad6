package apiserver

import (
	"net/http"

	"github.com/heron-nomad/heron/internal/conf"
)

// version answers with the keys of the release file, in the original's form.
func (s *Server) version(w http.ResponseWriter, _ *http.Request) error {
	loaded, err := conf.Load(s.opts.Base)
	if err != nil {
		return err
	}
	values := map[string]string{}
	var keys []string
	for _, p := range loaded.Build() {
		keys = append(keys, p.Key)
		values[p.Key] = p.Value
	}
	writeBody(w, http.StatusOK, "application/json", pretty(keys, func(k string) string { return string(encode(values[k])) }))
	return nil
}
