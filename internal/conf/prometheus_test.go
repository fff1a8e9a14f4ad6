package conf

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/testenv"
)

// sinkRule is a rule of the Prometheus sink.
type sinkRule struct {
	pattern *regexp.Regexp
	name    string
	snake   bool
	labels  map[string]string
}

func shippedRules(t *testing.T) []sinkRule {
	t.Helper()
	m, err := readFile(filepath.Join(shippedDir(), "metrics_sinks.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	sink, _ := m.get("prometheus-sink")
	list, _ := sink.(mapping).get("rules")
	var rules []sinkRule
	for _, item := range list.([]any) {
		field := func(name string) any { v, _ := item.(mapping).get(name); return v }
		r := sinkRule{
			pattern: regexp.MustCompile("^.*(?:" + field("pattern").(string) + ").*$"),
			name:    field("name").(string), snake: field("attrNameSnakeCase").(bool), labels: map[string]string{},
		}
		if labels, ok := field("labels").(mapping); ok {
			for _, p := range labels {
				r.labels[p.key.(string)] = p.value.(string)
			}
		}
		rules = append(rules, r)
	}
	return rules
}

var (
	groupForm  = regexp.MustCompile(`\$([0-9])`)
	unsafeForm = regexp.MustCompile(`[^a-zA-Z0-9_]`)
	capital    = regexp.MustCompile(`([^_A-Z])([A-Z])`)
)

// exported is the name and the labels that the sink gives a metric: every
// rule that matches names it anew and adds its labels.
func exported(rules []sinkRule, metric string) (name string, labels map[string]string) {
	name, labels = unsafeForm.ReplaceAllString(metric, "_"), map[string]string{}
	for _, r := range rules {
		if !r.pattern.MatchString(metric) {
			continue
		}
		expand := func(text string) string {
			return r.pattern.ReplaceAllString(metric, groupForm.ReplaceAllString(text, "$${$1}"))
		}
		name = unsafeForm.ReplaceAllString(expand(r.name), "_")
		if r.snake {
			name = capital.ReplaceAllString(name, "${1}_$2")
		}
		name = strings.ToLower(name)
		for label, value := range r.labels {
			if value = expand(value); value != "" {
				labels[label] = value
			}
		}
	}
	return "heron_" + strings.ToLower(strings.ReplaceAll(name, "__", "")), labels
}

// recordedMetrics are the names of metrics that were recorded, with the sets
// of labels that each had. Those of stream managers are not the rules' work.
func recordedMetrics(t *testing.T) map[string][]map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testenv.GoldenRuntime(t), "running", "prometheus_container-*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("recorded metrics: %d files, %v", len(files), err)
	}
	line, label := regexp.MustCompile(`^([a-z0-9_]+)\{(.*)\} `), regexp.MustCompile(`([a-z_]+)="([^"]*)"`)
	recorded := map[string][]map[string]string{}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			m := line.FindStringSubmatch(lines.Text())
			if m == nil {
				continue
			}
			labels := map[string]string{}
			for _, l := range label.FindAllStringSubmatch(m[2], -1) {
				labels[l[1]] = l[2]
			}
			if !strings.Contains(labels["component"], "stmgr") {
				recorded[m[1]] = append(recorded[m[1]], labels)
			}
		}
	}
	return recorded
}

// engineMetrics are the names that instances and metrics managers give their
// metrics, for the topology that was recorded: spout word, bolt exclaim1.
func engineMetrics() []string {
	names := []string{
		"__average-tuple-size-added-queue/default", "__data-tuple-added-to-outgoing-queue/default", "__process/__uptime-sec",
		"__jvm-threads-cpu-time-nanos/executor-thread", "__jvm-threads-cpu-time-nanos/gateway-thread",
		"__jvm-threads-user-cpu-time-nanos/executor-thread", "__jvm-threads-user-cpu-time-nanos/gateway-thread",
		"__metricsmgr/communicator-offer", "__metricsmgr/exceptions-received", "__metricsmgr/metrics-received",
		"__metricsmgr/new-register-request", "__metricsmgr/new-tmanager-location", "__metricsmgr/tmanager-location-received",
	}
	for _, name := range []string{
		"collector-collection-count", "continue-work-count", "dropped-exceptions-count", "execution-count", "gateway-in-queue-full-count",
		"gateway-in-stream-queue-expected-capacity", "gateway-in-stream-queue-size", "gateway-out-stream-queue-expected-capacity",
		"gateway-out-stream-queue-size", "gateway-received-packets-count", "gateway-received-packets-size", "gateway-sent-exceptions-count",
		"gateway-sent-metrics-count", "gateway-sent-metrics-packets-count", "gateway-sent-metrics-size", "gateway-sent-packets-count",
		"gateway-sent-packets-size", "next-tuple-count", "next-tuple-latency", "out-queue-full-count", "pending-acked-count",
		"produce-tuple-count", "task-run-count",
		"jvm-daemon-thread-count", "jvm-fd-count", "jvm-fd-limit", "jvm-gc-collection-count", "jvm-gc-collection-time-ms", "jvm-memory-free-mb",
		"jvm-memory-heap-mb-committed", "jvm-memory-heap-mb-max", "jvm-memory-heap-mb-used", "jvm-memory-mb-total",
		"jvm-memory-non-heap-mb-committed", "jvm-memory-non-heap-mb-max", "jvm-memory-non-heap-mb-used", "jvm-memory-used-mb",
		"jvm-other-threads-cpu-time-nanos", "jvm-other-threads-user-cpu-time-nanos", "jvm-process-cpu-load", "jvm-process-cpu-time-nanos",
		"jvm-thread-count", "jvm-uptime-secs",
	} {
		names = append(names, "__"+name)
	}
	for _, sink := range []string{"file", "metricscache", "prometheus", "tmanager"} {
		names = append(names, "__metricsmgr/communicator-size/"+sink+"-sink")
	}
	// By stream, and for what bolts take also by the component it is from.
	for _, name := range []string{"ack-count", "fail-count", "emit-count", "timeout-count", "complete-latency", "fail-latency", "tuple-serialization-time-ns"} {
		names = append(names, "__"+name+"/default")
	}
	for _, name := range []string{
		"ack-count", "fail-count", "fail-latency", "execute-count", "execute-latency", "execute-time-ns", "process-latency",
		"tuple-deserialization-time-ns", "av-tuple-deserialization-time-ns",
	} {
		names = append(names, "__"+name+"/default", "__"+name+"/word/default")
	}
	for _, pool := range []string{
		"CodeCache", "CodeHeap--non-nmethods-", "CodeHeap--non-profiled-nmethods-", "CodeHeap--profiled-nmethods-", "Compressed-Class-Space",
		"G1-Eden-Space", "G1-Old-Gen", "G1-Survivor-Space", "Metaspace",
	} {
		for _, part := range []string{"used", "committed", "max"} {
			names = append(names, "__jvm-peak-usage/"+pool+"-"+part, "__jvm-estimated-usage/"+pool+"-"+part)
			if strings.HasPrefix(pool, "G1-") {
				names = append(names, "__jvm-collection-usage/"+pool+"-"+part)
			}
		}
	}
	for _, pool := range []string{"direct", "mapped", "mapped----non-volatile-memory-"} {
		for _, part := range []string{"memory-used", "total-capacity", "count"} {
			names = append(names, "__jvm-buffer-pool/"+pool+"-"+part)
		}
	}
	for _, collector := range []string{"G1-Old-Generation", "G1-Young-Generation"} {
		names = append(names, "__jvm-gc-count/"+collector, "__jvm-gc-time-ms/"+collector)
	}
	return names
}

// Dashboards stay as they are: with the shipped rules a metric has the name
// and the labels that were recorded from the original.
func TestMetricsAreCalledAsTheOriginalCallsThem(t *testing.T) {
	rules, recorded := shippedRules(t), recordedMetrics(t)
	seen := map[string]bool{}
	for _, metric := range engineMetrics() {
		name, labels := exported(rules, metric)
		seen[name] = true
		// The sink keeps labels of one metric for the next ones of a source, so
		// there may be more.
		has := slices.ContainsFunc(recorded[name], func(all map[string]string) bool {
			for label, value := range labels {
				if all[label] != value {
					return false
				}
			}
			return true
		})
		if !has {
			t.Errorf("%s becomes %s%v, which was not recorded", metric, name, labels)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(recorded)) {
		if !seen[name] {
			t.Errorf("no metric becomes %s, which was recorded", name)
		}
	}
}

func TestLabelsOfMetrics(t *testing.T) {
	rules := shippedRules(t)
	for metric, want := range map[string]string{
		"__execute-count/word/default":        `heron_execute_count map[context:word/default dest_component:word]`,
		"__execute-latency/default":           `heron_execute_latency map[context:default]`,
		"__execute-time-ns/word/default":      `heron_execute_time_ns map[context:word/default dest_component:word]`,
		"__emit-count/default":                `heron_emit_count map[context:default]`,
		"__jvm-gc-count/G1-Young-Generation":  `heron_jvm_gc_count_g1_young_generation map[]`,
		"__jvm-gc-collection-count":           `heron_jvm_gc_collection_count map[]`,
		"__gateway-sent-packets-count":        `heron_gateway_sent_packets_count map[]`,
		"my-own/Count":                        `heron_my_own_count map[]`,
		"PulsarSpout/in-0/consumerThroughput": `heron_pulsar_spout_consumer_throughput map[component:in-0]`,
		"kafkaConsumer-request-size-max/consumer-node-metrics/client-id-spout/node-id-node-1":          `heron_kafka_consumer_node_request_size_max map[client_id:spout node_id:node-1]`,
		"kafkaConsumer-commit-rate/consumer-coordinator-metrics/client-id-spout":                       `heron_kafka_consumer_coordinator_commit_rate map[client_id:spout]`,
		"kafkaConsumer-records-lag-max/consumer-fetch-manager-metrics/client-id-s/topic-t/partition-1": `heron_kafka_consumer_fetch_manager_records_lag_max map[client_id:s partition:1 topic:t/partition-1]`,
		"kafkaConsumer-records-avg/consumer-fetch-manager-metrics/client-id-s/topic-t":                 `heron_kafka_consumer_fetch_manager_records_avg map[client_id:s topic:t]`,
		"kafkaConsumer-io-ratio/consumer-metrics/client-id-s":                                          `heron_kafka_consumer_io_ratio map[client_id:s]`,
		"kafkaConsumer-start-time-ms/app-info/client-id-s":                                             `heron_kafka_consumer_start_time_ms map[client_id:s]`,
		"kafkaOffset/t/partition_2/spoutLag":                                                           `heron_kafka_offset_spout_lag map[partition:2 topic:t/partition_2]`,
		"kafkaOffset/t/totalSpoutLag":                                                                  `heron_kafka_offset_total_spout_lag map[topic:t]`,
	} {
		name, labels := exported(rules, metric)
		if diff := cmp.Diff(want, fmt.Sprint(name, " ", labels)); diff != "" {
			t.Errorf("%s: %s", metric, diff)
		}
	}
}
