package apiserver

import (
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/heron-nomad/heron/internal/apiserver/auth"
)

const (
	// prefix begins all of the original's paths.
	prefix = "/api/v1"
	// defaultEnvironment is that of a client that names none.
	defaultEnvironment = "default"
)

// route is one method of one path.
type route struct {
	method, path string
	// verb is what a client must be allowed to; "" lets everybody in, as nodes
	// have to be that fetch packages.
	verb   auth.Verb
	handle func(http.ResponseWriter, *http.Request) error
}

// topologyPath is the path of one topology.
const topologyPath = prefix + "/topologies/{cluster}/{role}/{environment}/{name}"

// routes are all that the server answers. Their description is openapi.yaml; a
// test compares the two.
func (s *Server) routes() []route {
	return []route{
		{"GET", "/healthz", "", s.healthz},
		{"GET", "/readyz", "", s.readyz},
		{"GET", "/metrics", auth.Metrics, s.showMetrics},
		{"GET", prefix + "/openapi.yaml", "", s.openAPI},
		{"GET", prefix + "/version", auth.Read, s.version},

		{"GET", prefix + "/topologies", auth.Read, s.list},
		{"POST", prefix + "/topologies", auth.Submit, s.submit},
		{"GET", topologyPath, auth.Read, s.status},
		{"GET", topologyPath + "/watch", auth.Read, s.watch},
		{"GET", topologyPath + "/history", auth.Read, s.history},
		{"GET", topologyPath + "/logs", auth.Logs, s.showLogs},
		{"POST", topologyPath + "/logs", auth.Logs, s.resumeLogs},
		{"DELETE", topologyPath, auth.Kill, s.kill},
		{"POST", topologyPath + "/activate", auth.Activate, s.activate},
		{"POST", topologyPath + "/deactivate", auth.Deactivate, s.deactivate},
		{"POST", topologyPath + "/restart", auth.Restart, s.restart},
		{"POST", topologyPath + "/update", auth.Update, s.update},
		{"POST", topologyPath + "/rollback", auth.Rollback, s.rollback},
		{"POST", topologyPath + "/unlock", auth.Unlock, s.unlock},
		{"GET", namesPath, auth.Read, s.topologyNames},
		{"GET", partNamesPath, auth.Read, s.partNames},

		{"POST", clusterPath + "/gc", auth.GC, s.gc},
		{"POST", clusterPath + "/doctor", auth.Doctor, s.doctor},

		{"GET", prefix + "/operations", auth.Read, s.listOperations},
		{"GET", prefix + "/operations/{id}", auth.Read, s.operation},
		{"DELETE", prefix + "/operations/{id}", auth.Read, s.cancelOperation},
		{"GET", prefix + "/operations/{id}/events", auth.Read, s.operationEvents},

		{"POST", prefix + "/file/upload", auth.Upload, s.upload},
		{"GET", prefix + "/file/download/core", "", s.downloadCore},
		{"GET", prefix + "/file/download/{file}", "", s.download},
		{"DELETE", prefix + "/file/download/{file}", auth.Delete, s.deleteFile},
		{"DELETE", prefix + "/file/{file}", auth.Delete, s.deleteFile},
	}
}

// router finds the route of a request.
func (s *Server) router() http.Handler {
	paths := map[string]map[string]route{}
	for _, r := range s.routes() {
		if paths[r.path] == nil {
			paths[r.path] = map[string]route{}
		}
		paths[r.path][r.method] = r
	}
	mux := http.NewServeMux()
	for at, methods := range paths {
		mux.HandleFunc(at, s.methods(at, methods))
	}
	mux.HandleFunc("/", s.unknown)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A proxy may or may not take the path off that it adds.
		if rest, ok := strings.CutPrefix(r.URL.Path, s.publicPath); ok && s.publicPath != "" && strings.HasPrefix(rest, "/") {
			r = r.Clone(r.Context())
			r.URL.Path, r.URL.RawPath = rest, strings.TrimPrefix(r.URL.RawPath, s.publicPath)
		}
		r = inDefaultEnvironment(r)
		// The mux would redirect to a clean path, which is another topology's
		// where a part is empty.
		if at := r.URL.Path; at != path.Clean(at) && at != "/" {
			s.wrap("", "", s.noRoute)(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// inDefaultEnvironment fills in the environment of a topology's path where it is
// empty. The original's client leaves it so in all it sends for "cluster/role",
// in the form of a submission as well, where empty is the default too.
func inDefaultEnvironment(r *http.Request) *http.Request {
	at, ok := strings.CutPrefix(r.URL.EscapedPath(), prefix+"/topologies/")
	parts := strings.Split(at, "/")
	if !ok || len(parts) < 4 || parts[0] == "" || parts[1] == "" || parts[2] != "" || parts[3] == "" {
		return r
	}
	parts[2] = defaultEnvironment
	raw := prefix + "/topologies/" + strings.Join(parts, "/")
	plain, err := url.PathUnescape(raw)
	if err != nil {
		return r
	}
	r = r.Clone(r.Context())
	r.URL.Path, r.URL.RawPath = plain, raw
	return r
}

// methods answers requests to one path.
func (s *Server) methods(at string, methods map[string]route) http.HandlerFunc {
	allowed := slices.Sorted(maps.Keys(methods))
	if slices.Contains(allowed, http.MethodGet) {
		allowed = append(allowed, http.MethodHead)
	}
	allow := strings.Join(append(allowed, http.MethodOptions), ", ")
	handlers := map[string]http.HandlerFunc{}
	for method, r := range methods {
		handlers[method] = s.wrap(at, r.verb, r.handle)
		if method == http.MethodGet {
			handlers[http.MethodHead] = handlers[method]
		}
	}
	other := s.wrap(at, "", func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Allow", allow)
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		return refuse(http.StatusMethodNotAllowed, "%s is not for %s; there are %s", r.Method, at, allow)
	})
	return func(w http.ResponseWriter, r *http.Request) {
		if h := handlers[r.Method]; h != nil {
			h(w, r)
			return
		}
		other(w, r)
	}
}

func (s *Server) unknown(w http.ResponseWriter, r *http.Request) {
	s.wrap("", "", s.noRoute)(w, r)
}

// noRoute is the original's answer to an unknown path. The message is ours: the
// original's client shows nothing else of an answer.
func (s *Server) noRoute(w http.ResponseWriter, r *http.Request) error {
	body := pretty([]string{"paths", "message"}, func(key string) string {
		if key == "message" {
			return string(encode("there is nothing at " + r.URL.Path + " on this server; is its address right?"))
		}
		return `[ "` + prefix + `/topologies", "` + prefix + `/version", "` + prefix + `/file" ]`
	})
	writeBody(w, http.StatusNotFound, "application/json", body)
	return nil
}
