package standin

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/heronpb"
)

// requestLimit bounds a controller request from first to last byte.
const requestLimit = 30 * time.Second

// answer is a controller's reply: a body with 200, else a reason, which also
// stands in the status line. hangUp is no answer at all.
type answer struct {
	code   int
	reason string
	body   string
	hangUp bool
}

func refuse(code int, reason string) answer { return answer{code: code, reason: reason} }
func done(body string) answer               { return answer{code: http.StatusOK, body: body} }

// controller answers on the TManager's controller port. The real server is
// not quite an HTTP server of today: messages stand in the reason phrase,
// parameters of a POST come from the body only, HEAD counts as GET.
type controller struct {
	topologyID string
	stateful   bool
	assembly   *assembly
	// die ends the TManager, after the answer was sent.
	die func(error)
}

// serve answers one connection's only request; its caller closes it.
func (c *controller) serve(conn net.Conn) {
	if err := conn.SetDeadline(time.Now().Add(requestLimit)); err != nil {
		return
	}
	request, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	query := request.URL.RawQuery
	if request.Method == http.MethodPost {
		body, err := io.ReadAll(io.LimitReader(request.Body, 1<<20))
		if err != nil {
			return
		}
		query = string(body)
	}
	// What does not parse is left out, as if it had not been sent.
	parameters, _ := url.ParseQuery(query)
	a, fault := c.handle(request.URL.Path, parameters)
	if !a.hangUp {
		_, _ = io.WriteString(conn, a.text(request.Method == http.MethodHead))
	}
	if fault != nil {
		_ = conn.Close()
		c.die(fault)
	}
}

// text is the answer on the wire, headers in the real server's order. To a
// HEAD it sends the body, but not its length.
func (a answer) text(head bool) string {
	date := "Date: " + time.Now().UTC().Format(http.TimeFormat)
	body, length := a.body, ""
	if a.code != http.StatusOK {
		body = fmt.Sprintf("<HTML><HEAD>\n<TITLE>%d %s</TITLE>\n</HEAD><BODY>\n<H1>%s</H1>\n</BODY></HTML>\n", a.code, a.reason, a.reason)
	}
	lines := []string{fmt.Sprintf("HTTP/1.1 %d %s", a.code, a.reason)}
	if !head {
		length = fmt.Sprintf("Content-Length: %d", len(body))
	}
	if a.code == http.StatusOK {
		lines = append(lines, date, length, "Content-Type: text/html; charset=ISO-8859-1")
	} else {
		lines = append(lines, "Content-Type: text/html", date, length)
	}
	var b strings.Builder
	for _, line := range append(lines, "Connection: close") {
		if line != "" {
			b.WriteString(line + "\r\n")
		}
	}
	return b.String() + "\r\n" + body
}

// handle does what is asked. The error is the TManager's end.
func (c *controller) handle(path string, parameters url.Values) (answer, error) {
	switch path {
	case "/get_current_physical_plan":
		plan, ok := c.assembly.complete()
		if !ok {
			return refuse(http.StatusBadRequest, ""), nil
		}
		return done(base64.StdEncoding.EncodeToString(plan)), nil
	case "/activate", "/deactivate", "/runtime_config/update", "/clean_all_stateful_checkpoints":
	default:
		return refuse(http.StatusNotFound, "Not Supported"), nil
	}
	switch id := parameters.Get("topologyid"); {
	case id == "":
		return refuse(http.StatusBadRequest, "Missing 'topologyid' argument in the request"), nil
	case id != c.topologyID:
		return refuse(http.StatusBadRequest, "Topology id does not match"), nil
	case !c.assembly.ready():
		return refuse(http.StatusInternalServerError, "Tmanager still not initialized (physical plan is not available)"), nil
	}
	switch path {
	case "/activate":
		return c.changed(c.assembly.setState(heronpb.TopologyState_PAUSED, heronpb.TopologyState_RUNNING),
			"Topology successfully activated", "")
	case "/deactivate":
		return c.changed(c.assembly.setState(heronpb.TopologyState_RUNNING, heronpb.TopologyState_PAUSED),
			"Topology successfully deactivated", "")
	case "/clean_all_stateful_checkpoints":
		if !c.stateful {
			// The real one uses a client that it never made.
			return answer{hangUp: true}, errors.New("asked to clean checkpoints, but the topology is not stateful")
		}
		return done("Checkpoints successfully cleaned"), nil
	default:
		return c.configure(parameters["runtime-config"])
	}
}

func (c *controller) configure(items []string) (answer, error) {
	if len(items) == 0 {
		return refuse(http.StatusBadRequest, "No runtime config is found. Usage: runtime-config=[COMPONENT:]<CONFIG>:<VALUE>."), nil
	}
	config, ok := parseRuntimeConfig(items)
	if !ok {
		return refuse(http.StatusBadRequest, "Failed to parse runtime configs. Possibly bad format. The expected format is [COMPONENT:]<CONFIG>:<VALUE>."), nil
	}
	return c.changed(c.assembly.configure(config), "Runtime config updated", "Failed to update runtime configs ")
}

// changed is the answer after a change of the plan: failed is the reason
// where it could not be stored.
func (c *controller) changed(err error, success, failed string) (answer, error) {
	switch {
	case err == nil:
		return done(success), nil
	case errors.Is(err, errState):
		return refuse(http.StatusBadRequest, ""), nil
	case errors.Is(err, errUnknown):
		return refuse(http.StatusBadRequest, "Failed to validate runtime configs"), nil
	default:
		return refuse(http.StatusInternalServerError, failed), err
	}
}
