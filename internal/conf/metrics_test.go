package conf

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestMetricsService(t *testing.T) {
	for text, want := range map[string]Nomad{
		"":                                     {ServiceProvider: "consul", CheckInterval: 10 * time.Second, CheckTimeout: 2 * time.Second},
		"heron.nomad.service.provider: nomad":  {ServiceProvider: "nomad", CheckInterval: 10 * time.Second, CheckTimeout: 2 * time.Second},
		"heron.nomad.service.provider: consul": {ServiceProvider: "consul", CheckInterval: 10 * time.Second, CheckTimeout: 2 * time.Second},
		"heron.nomad.metrics.service.check.interval.sec: 1s\nheron.nomad.metrics.service.check.timeout.sec: 1": {
			ServiceProvider: "consul", CheckInterval: time.Second, CheckTimeout: time.Second,
		},
	} {
		s, err := resolved(t, with(map[string]string{"override.yaml": text + "\n"})).Settings()
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if n := s.Nomad; n.ServiceProvider != want.ServiceProvider || n.CheckInterval != want.CheckInterval || n.CheckTimeout != want.CheckTimeout {
			t.Errorf("%q: provider %s, checked every %s for %s", text, n.ServiceProvider, n.CheckInterval, n.CheckTimeout)
		}
	}
	for text, want := range map[string]string{
		"heron.nomad.service.provider: etcd":                    "use consul or nomad",
		"heron.nomad.metrics.service.check.interval.sec: 999ms": "less than a second",
		"heron.nomad.metrics.service.check.timeout.sec: 500ms":  "less than a second",
	} {
		_, err := resolved(t, with(map[string]string{"override.yaml": text + "\n"})).Settings()
		var wrong *Error
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one that says %q", text, err, want)
		}
	}
}
