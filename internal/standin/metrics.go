package standin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/heronpb"
)

// metricsPort is the port of the Prometheus sink: in the file that the start
// script wrote, or fixed.
func (s *sink) metricsPort() (string, error) {
	port := s.port
	if port == "" {
		data, err := os.ReadFile(s.portFile)
		if err != nil {
			return "", fmt.Errorf("the Prometheus sink's port file: %w", err)
		}
		port = strings.TrimSpace(string(data))
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("the Prometheus sink's port is %q", port)
	}
	return port, nil
}

// serveMetrics answers GET on the sink's path with a few metrics named and
// labelled as the real ones, until ctx ends. part is the container's part in
// the plan of the moment.
func serveMetrics(ctx context.Context, s *sink, f flags, part func() *heronpb.ContainerPlan) (wait func(), err error) {
	port, err := s.metricsPort()
	if err != nil {
		return nil, err
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", ":"+port)
	if err != nil {
		return nil, fmt.Errorf("listening on the metrics port: %w", err)
	}
	started := time.Now()
	mux := http.NewServeMux()
	mux.HandleFunc(s.path, func(w http.ResponseWriter, _ *http.Request) {
		// The real sink does not say what it answers.
		w.Header()["Content-Type"] = nil
		_, _ = w.Write([]byte(metricsText(f, part(), started, time.Now())))
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: requestLimit}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			_ = l.Close()
		}
	}()
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	return func() { <-ended; stop() }, nil
}

// metricsText is a value per process of the container: its uptime. part is
// nil for the TManager's container.
func metricsText(f flags, part *heronpb.ContainerPlan, started, now time.Time) string {
	var b strings.Builder
	line := func(name, component, instance string, value float64) {
		fmt.Fprintf(&b, "%s{cluster_role_env=%q,component=%q,instance_id=%q,topology=%q} %.1f %d\n",
			name, f["cluster"]+"/"+f["role"]+"/"+f["environment"], component, instance, f["topology-name"], value, now.UnixMilli())
	}
	up := float64(int(now.Sub(started).Seconds()))
	line("heron_jvm_uptime_secs", "__metricsmgr__", "metricsmgr-"+f["shard"], up)
	if part == nil {
		line("heron_process_uptime_sec", "__tmanager__", "0", up)
		return b.String()
	}
	line("heron_process_uptime_sec", "__stmgr__", stmgrID(f.shard()), up)
	for _, i := range part.GetInstancePlans() {
		id := fmt.Sprintf("container_%d_%s_%d", part.GetId(), i.GetComponentName(), i.GetTaskId())
		line("heron_jvm_uptime_secs", i.GetComponentName(), id, up)
	}
	return b.String()
}
