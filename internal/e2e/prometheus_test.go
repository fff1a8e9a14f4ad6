package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/testenv"
)

// checkScraped runs Prometheus with the configuration of docs/metrics.md that
// has a word in it, at another address, until it has the metrics of every
// container.
func (c *cluster) checkScraped(word, address, real string) {
	c.t.Helper()
	config := documented(c.t, word)
	if strings.Count(config, address) != 1 {
		c.t.Fatalf("want %s once in:\n%s", address, config)
	}
	p, err := testenv.StartPrometheus(c.t.Context(), c.t.TempDir(), strings.Replace(config, address, real, 1))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			c.t.Error(err)
		}
	})
	containers := fmt.Sprintf(`container=~"%s-[0-9]+"`, c.topology)
	for query, value := range map[string]string{
		fmt.Sprintf(`up{job="heron",%s} == 1`, containers): "1",
		fmt.Sprintf(`group by (container) (heron_jvm_uptime_secs{topology=%q,component="__metricsmgr__",%s})`, c.topology, containers): "1",
	} {
		want := map[string]string{c.topology + "-0": value, c.topology + "-1": value, c.topology + "-2": value}
		var got map[string]string
		if !within(c.t, func() bool { got = c.query(p.Addr, query); return maps.Equal(got, want) }) {
			c.t.Errorf("%s (-want +got):\n%s", query, cmp.Diff(want, got))
		}
	}
}

// query is what Prometheus knows now, by container.
func (c *cluster) query(prometheus, query string) map[string]string {
	c.t.Helper()
	var answer struct {
		Data struct {
			Result []struct {
				Metric struct{ Container string }
				Value  [2]any
			}
		}
	}
	c.get(prometheus+"/api/v1/query?"+url.Values{"query": {query}}.Encode(), &answer)
	values := map[string]string{}
	for _, r := range answer.Data.Result {
		values[r.Metric.Container] = fmt.Sprint(r.Value[1])
	}
	return values
}

// documented is the only YAML block of docs/metrics.md with a word in it.
func documented(t *testing.T, word string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testenv.Root(), "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, part := range strings.Split(string(text), "\n```yaml\n")[1:] {
		if block, _, ok := strings.Cut(part, "```\n"); ok && strings.Contains(block, word) {
			found = append(found, block)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d blocks with %s in docs/metrics.md, want 1", len(found), word)
	}
	return found[0]
}

func (c *cluster) get(url string, into any) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		c.t.Fatalf("get %s: %s", url, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		c.t.Fatalf("get %s: %v", url, err)
	}
}
