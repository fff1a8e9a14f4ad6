package conf

const prometheusSink = "org.apache.heron.metricsmgr.sink.PrometheusSink"

// metricsPortFile is the file in a container's folder from which the
// Prometheus sink takes its port: port-file of the first listed sink of that
// class, in the metrics file with the overrides laid over it; "" for none.
func (l *Loaded) metricsPortFile() (string, error) {
	find := func(key string) (*entry, any) {
		if e, ok := l.override(key); ok {
			return e, e.value
		}
		for _, p := range l.sinks {
			if k, ok := p.key.(string); ok && k == key {
				return &entry{value: p.value, text: p.text, source: fileSource(l.metricsPath, p.line)}, p.value
			}
		}
		return nil, nil
	}
	e, v := find("sinks")
	if v == nil {
		return "", nil
	}
	names, ok := v.([]any)
	if !ok {
		return "", e.wrong("sinks", "is "+kindName(v), "give it a list of names")
	}
	for _, n := range names {
		name, ok := scalarText(n)
		if !ok {
			return "", e.wrong("sinks", "holds "+kindName(n), "give it a list of names")
		}
		e, v := find(name)
		sink, ok := v.(mapping)
		if !ok {
			if v == nil {
				continue
			}
			return "", e.wrong(name, "is "+kindName(v), "a sink is a map with a class")
		}
		if class, _ := sink.get("class"); class != prometheusSink {
			continue
		}
		portFile, _ := sink.get("port-file")
		text, ok := scalarText(portFile)
		if !ok && portFile != nil {
			return "", e.wrong(name, "port-file is "+kindName(portFile), "give it the name of a file")
		}
		return text, nil
	}
	return "", nil
}
