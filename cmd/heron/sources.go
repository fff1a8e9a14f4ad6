package main

import (
	"errors"
	"strings"

	"github.com/heron-nomad/heron/internal/conf"
)

// overrideFlags are the flags that set conf.NomadOverrides, by the keys of
// their values.
func overrideFlags() map[string]string {
	return map[string]string{
		"heron.nomad.scheduler.uri":   "--nomad-address",
		"heron.nomad.region":          "--nomad-region",
		"heron.nomad.namespace":       "--nomad-namespace",
		"heron.nomad.token.file":      "--nomad-token-file",
		"heron.nomad.tls.ca.cert":     "--nomad-ca-cert",
		"heron.nomad.tls.ca.path":     "--nomad-ca-path",
		"heron.nomad.tls.client.cert": "--nomad-client-cert",
		"heron.nomad.tls.client.key":  "--nomad-client-key",
		"heron.nomad.tls.server.name": "--nomad-tls-server-name",
		"heron.nomad.tls.skip.verify": "--nomad-skip-verify",
	}
}

// sourceName says where a value comes from, in words of the command line.
func sourceName(s conf.Source) string {
	switch s.Kind {
	case conf.PropertySource:
		return s.Key + " in --config-property"
	case conf.OverrideSource:
		return overrideFlags()[s.Key]
	case conf.DefaultSource:
		return "the default"
	}
	return s.String()
}

// sourceWhere begins a message about a value, in words of the command line.
func sourceWhere(s conf.Source) string {
	const property, caller = "--config-property", "the command line"
	switch s.Kind {
	case conf.PropertySource:
		return strings.TrimSuffix(property+": "+s.Key, ": ")
	case conf.OverrideSource:
		return overrideFlags()[s.Key]
	case conf.CallerSource:
		return strings.TrimSuffix(caller+": "+s.Key, ": ")
	}
	return s.Where()
}

// worded is a text of an error with sources in words of the command line.
func worded(err error, text string) string {
	var c *conf.Error
	if errors.As(err, &c) {
		text = strings.Replace(text, c.Error(), c.Text(sourceWhere), 1)
	}
	return text
}
