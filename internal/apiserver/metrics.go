package apiserver

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/heron-nomad/heron/internal/apiserver/files"
	"github.com/heron-nomad/heron/internal/outcome"
)

// metrics are what /metrics shows.
type metrics struct {
	registry   *prometheus.Registry
	requests   *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	inFlight   prometheus.Gauge
	operations *prometheus.CounterVec
	running    prometheus.Gauge
	uploads    *prometheus.CounterVec
	received   prometheus.Counter
	sent       prometheus.Counter
	backend    *prometheus.HistogramVec
}

func newMetrics(store *files.Store) *metrics {
	const space = "heron_apiserver"
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: space, Name: "requests_total", Help: "Requests by route and status.",
		}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: space, Name: "request_seconds", Help: "Time until a request was answered.",
			Buckets: []float64{.001, .005, .01, .02, .05, .1, .5, 1, 5, 30, 120, 600},
		}, []string{"method", "route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: space, Name: "requests_in_flight", Help: "Requests that are being answered.",
		}),
		operations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: space, Name: "operations_total", Help: "Operations on topologies that have ended, by the kind of their outcome.",
		}, []string{"operation", "outcome"}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: space, Name: "operations_running", Help: "Operations on topologies that are under way.",
		}),
		uploads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: space, Name: "uploads_total", Help: "Packages that clients uploaded, by the status they were answered with.",
		}, []string{"status"}),
		received: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: space, Name: "received_bytes_total", Help: "Bytes of the bodies of requests.",
		}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: space, Name: "sent_bytes_total", Help: "Bytes of the bodies of answers.",
		}),
		backend: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: space, Name: "backend_seconds", Help: "Time that requests to Nomad and to the state store took.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .05, .1, .5, 1, 5, 30},
		}, []string{"backend", "request"}),
	}
	m.registry.MustRegister(
		m.requests, m.seconds, m.inFlight, m.operations, m.running, m.uploads, m.received, m.sent, m.backend,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: space, Name: "packages_bytes", Help: "Bytes of all packages that are kept.",
		}, func() float64 { return float64(store.Used()) }),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *metrics) request(method, route string, status int, took time.Duration) {
	if !slices.Contains(methods(), method) {
		method = "other" // a client may make up any number of them
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(method, route).Observe(took.Seconds())
}

// methods are those that have numbers of their own.
func methods() []string {
	return []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}
}

func (m *metrics) operation(verb string, err error) {
	m.operations.WithLabelValues(verb, cmp.Or(string(outcome.KindOf(err)), "done")).Inc()
}

// ask counts one request to Nomad or to the state store.
func (m *metrics) ask(backend, request string, took time.Duration) {
	m.backend.WithLabelValues(backend, request).Observe(took.Seconds())
}
