package apiserver

import (
	"net/http"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/wire"
)

// version answers with the keys of the release file, in the original's form.
// What else our own client has to know at first is in the header.
func (s *Server) version(w http.ResponseWriter, _ *http.Request) error {
	loaded, err := conf.Load(s.opts.Base)
	if err != nil {
		return err
	}
	local, err := loaded.Local()
	if err != nil {
		return err
	}
	protected, _, err := local.Bool("heron.nomad.protected")
	if err != nil {
		return err
	}
	if protected {
		w.Header().Set(wire.HeaderProtected, "true")
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
