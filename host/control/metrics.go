package control

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// newMetrics answers with a host's status, and what its process takes, in the form
// that Prometheus reads (https://prometheus.io/docs/instrumenting/exposition_formats/).
func newMetrics(status func() Status) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		metrics{status},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// metrics collects one status. What it describes depends on what runs, so it
// describes nothing beforehand.
type metrics struct{ status func() Status }

// Describe implements prometheus.Collector.
func (metrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (m metrics) Collect(out chan<- prometheus.Metric) {
	s := m.status()
	to := collector{out: out}
	to.gauge("info", "The host that answers.", 1, "version", s.Version, "phase", s.Phase)
	to.gauge("start_time_seconds", "When the host started, Unix time.", float64(s.Started.UnixMilli())/1000)
	to.events(s.Events)
	to.requests(s.REST)
	if s.Interactions != nil {
		to.interactions(*s.Interactions)
	}
	if i := s.Identifies; i != nil {
		to.gauge("identifies_remaining", "How often the bot may still identify before the reset.", float64(i.Remaining))
		to.gauge("identifies_total_a_day", "How often the bot may identify a day.", float64(i.Total))
	}
	for _, shard := range s.Shards {
		to.shard(shard)
	}
	for _, plugin := range s.Plugins {
		to.plugin(plugin)
	}
	if j := s.Journal; j != nil {
		to.gauge("journal_bytes", "Bytes in the journal.", float64(j.Bytes))
		to.gauge("journal_limit_bytes", "Bound of the journal.", float64(j.LimitBytes))
		to.gauge("journal_off_disk", "1 while the journal is in memory because the disk takes nothing.", truth(j.InMemory == MemoryForNow))
	}
	if s.Cache != nil {
		to.cache(*s.Cache)
	}
}

// collector writes values; labels are names and values in turn.
type collector struct{ out chan<- prometheus.Metric }

func (c collector) gauge(name, help string, value float64, labels ...string) {
	c.write(prometheus.GaugeValue, name, help, value, labels)
}

func (c collector) counter(name, help string, value uint64, labels ...string) {
	c.write(prometheus.CounterValue, name+"_total", help, float64(value), labels)
}

func (c collector) write(kind prometheus.ValueType, name, help string, value float64, labels []string) {
	var names, values []string
	for i := 0; i+1 < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, labels[i+1])
	}
	desc := prometheus.NewDesc("holdfast_"+name, help, names, nil)
	metric, err := prometheus.NewConstMetric(desc, kind, value, values...)
	if err != nil {
		metric = prometheus.NewInvalidMetric(desc, err)
	}
	c.out <- metric
}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
