package jobspec

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Container is what one container of a topology's job gets: the job with its
// index put in. Ports stay variables, for only the node knows them.
type Container struct {
	Index     int                `json:"index"`
	Env       map[string]string  `json:"env"`
	Command   string             `json:"command"`
	Args      []string           `json:"args"`
	Services  []ContainerService `json:"services"`
	Resources ContainerResources `json:"resources"`
	// Image and NetworkMode are those of driver docker, else empty.
	Image       string `json:"image,omitempty"`
	NetworkMode string `json:"networkMode,omitempty"`
	// Ports are the labels of the ports that the node gives, sorted.
	Ports []string `json:"ports"`
}

// ContainerService is a service that a container registers.
type ContainerService struct {
	Name   string           `json:"name"`
	Port   string           `json:"port"`
	Tags   []string         `json:"tags"`
	Checks []ContainerCheck `json:"checks"`
}

// ContainerCheck is how a service is checked; times print in nanoseconds, as
// in the job.
type ContainerCheck struct {
	Type     string        `json:"type"`
	Port     string        `json:"port"`
	Interval time.Duration `json:"interval"`
	Timeout  time.Duration `json:"timeout"`
}

// ContainerResources is what is asked of the node: CPU in MHz, memory and
// disk in MB. DiskMB is 0 where no disk is asked for.
type ContainerResources struct {
	CPU      int `json:"cpu"`
	MemoryMB int `json:"memoryMB"`
	DiskMB   int `json:"diskMB"`
}

// Expand tells what container index of a topology's job gets. The job is one
// that Build made, or the same read back from Nomad.
func Expand(job *api.Job, index int) Container {
	group := job.TaskGroups[0]
	task := group.Tasks[0]
	in := func(text string) string { return strings.ReplaceAll(text, allocIndex, strconv.Itoa(index)) }
	c := Container{
		Index:    index,
		Env:      maps.Clone(task.Env),
		Services: []ContainerService{},
		Args:     each(texts(task.Config["args"]), in),
		Resources: ContainerResources{
			CPU:      value(task.Resources.CPU),
			MemoryMB: value(task.Resources.MemoryMB),
		},
	}
	for key, to := range map[string]*string{"command": &c.Command, "image": &c.Image, "network_mode": &c.NetworkMode} {
		if text, ok := task.Config[key].(string); ok {
			*to = in(text)
		}
	}
	for key, text := range c.Env {
		c.Env[key] = in(text)
	}
	for _, s := range task.Services {
		service := expandService(s, in)
		service.Name = strings.ReplaceAll(service.Name, jobName, value(job.Name))
		c.Services = append(c.Services, service)
	}
	if group.EphemeralDisk != nil {
		c.Resources.DiskMB = value(group.EphemeralDisk.SizeMB)
	}
	for _, n := range group.Networks {
		for _, p := range n.DynamicPorts {
			c.Ports = append(c.Ports, p.Label)
		}
	}
	slices.Sort(c.Ports)
	return c
}

func expandService(s *api.Service, in func(string) string) ContainerService {
	out := ContainerService{Name: in(s.Name), Port: s.PortLabel, Tags: each(s.Tags, in)}
	for _, check := range s.Checks {
		out.Checks = append(out.Checks, ContainerCheck{
			Type: check.Type, Port: check.PortLabel, Interval: check.Interval, Timeout: check.Timeout,
		})
	}
	return out
}

// texts reads a list of a task's configuration, which has another type once
// it has been through JSON.
func texts(v any) []string {
	switch list := v.(type) {
	case []string:
		return list
	case []any:
		out := make([]string, 0, len(list))
		for _, e := range list {
			text, _ := e.(string)
			out = append(out, text)
		}
		return out
	}
	return nil
}

func each(list []string, f func(string) string) []string {
	out := make([]string, len(list))
	for i, text := range list {
		out[i] = f(text)
	}
	return out
}

// value is what p points at, the zero value for nil.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
