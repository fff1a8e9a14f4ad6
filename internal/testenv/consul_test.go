package testenv

import (
	"context"
	"strings"
	"testing"
)

func TestConsulServesACatalog(t *testing.T) {
	addr := Consul(t)
	var services map[string][]string
	if err := getJSON(t.Context(), addr+"/v1/catalog/services", &services); err != nil {
		t.Fatal(err)
	}
	if _, ok := services["consul"]; !ok || len(services) != 1 {
		t.Errorf("services of a new Consul: %v, want only its own", services)
	}
}

func TestPrometheusTakesItsConfiguration(t *testing.T) {
	p := ownServer(t, func(ctx context.Context, dir string) (*Server, error) {
		return StartPrometheus(ctx, dir, "global: {scrape_interval: 1s}\n")
	})
	var answer struct{ Data struct{ YAML string } }
	if err := getJSON(t.Context(), p.Addr+"/api/v1/status/config", &answer); err != nil || !strings.Contains(answer.Data.YAML, "scrape_interval: 1s") {
		t.Errorf("configuration %q, %v; want what was given", answer.Data.YAML, err)
	}
}

func TestPrometheusRefusesABadConfiguration(t *testing.T) {
	s, err := StartPrometheus(t.Context(), t.TempDir(), "no_such_field: 1\n")
	if err == nil {
		_ = s.Stop()
		t.Fatal("it runs")
	}
	if !strings.Contains(err.Error(), "no_such_field") {
		t.Errorf("error %v, want one that shows the log", err)
	}
}
