package jobspec

import (
	"strings"

	"github.com/heron-nomad/heron/internal/lazyregexp"
)

const (
	// nodeAddress is what Nomad replaces by the address of the node: that of
	// the ports it gives out.
	nodeAddress = "${attr.unique.network.ip-address}"
	// imageCore is where the core lies in an image, below its working
	// directory, as in the original's images.
	imageCore = "heron-core"
)

// docker says whether containers run in images.
func (s Spec) docker() bool { return s.Settings.Nomad.Driver == driverDocker }

// dockerConfig is the configuration of a task that runs in an image. All
// ports are published under the numbers that Nomad gave out on the node: a
// process listens, and is reached, at NOMAD_PORT_x in every network mode.
func (s Spec) dockerConfig(command []string) (map[string]any, error) {
	n := s.Settings.Nomad
	if err := checkImage(n.DockerImage); err != nil {
		return nil, err
	}
	if err := checkNetworkMode(n.DockerNetwork); err != nil {
		return nil, err
	}
	labels := []string{}
	for _, p := range s.network().DynamicPorts {
		labels = append(labels, p.Label)
	}
	config := map[string]any{
		"image":        n.DockerImage,
		"network_mode": n.DockerNetwork,
		"command":      "/bin/sh",
		// The working directory is the image's, so the script goes by its whole path.
		"args":  append([]string{taskDir + strings.TrimPrefix(scriptPath, "local")}, command...),
		"ports": labels,
	}
	if len(n.DockerVolumes) > 0 {
		config["volumes"] = n.DockerVolumes
	}
	if n.DockerAuth != nil {
		config[dockerAuthKey] = dockerAuth(n.DockerAuth)
	}
	if n.DockerPrivileged {
		config["privileged"] = true
	}
	return config, nil
}

func checkImage(image string) error {
	if strings.TrimSpace(image) == "" || strings.ContainsAny(image, " \t\r\n") {
		return badInput("heron.executor.docker.image", "is %q; name an image, as in registry/heron:1.0", image)
	}
	return nil
}

// dockerNetwork is the name of a network; the modes default, host and bridge
// are names too.
var dockerNetwork = lazyregexp.New(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// checkNetworkMode refuses modes in which containers cannot reach each
// other. That of the group is no choice: there "bridge" would hide the
// node's ports from the processes that have to announce them.
func checkNetworkMode(mode string) error {
	const key = "heron.nomad.network.mode"
	switch {
	case mode == "none":
		return badInput(key, "is none, but containers have to reach each other; use default, host, bridge or the name of a docker network")
	case strings.HasPrefix(mode, "container:"):
		return badInput(key, "is %q, but no container can share the ports of another; use default, host, bridge or the name of a docker network", mode)
	case !dockerNetwork.MatchString(mode):
		return badInput(key, "is %q; use default, host, bridge or the name of a docker network", mode)
	}
	return nil
}
