package jobspec

import (
	"net"
	"net/netip"
	"net/url"
	"path"
	"strings"

	"github.com/heron-nomad/heron/internal/conf"
)

// CheckReach says what a container in an image could not reach of what it
// needs: a package or a state in a folder of the node that is not mounted, or
// a ZooKeeper at the address by which every container means itself. A
// job of that kind can be made and shown, but none of its containers would
// run. With another driver there is nothing to say.
func CheckReach(s *conf.Settings, packageURI string) error {
	n := s.Nomad
	if n.Driver != driverDocker {
		return nil
	}
	if file, ok := localFile(packageURI); ok && !mounted(n.DockerVolumes, file) {
		return badInput("the package", "will be at %s, which containers of driver docker do not see; "+
			"mount its folder with heron.nomad.docker.volumes: [%[2]q], or choose an uploader that nodes can fetch from", packageURI, path.Dir(file)+":"+path.Dir(file)+":ro")
	}
	if s.State.Kind == "localfs" && !mounted(n.DockerVolumes, s.State.Root) {
		return badInput("heron.statemgr.root.path", "is the folder %s, which containers of driver docker do not see; "+
			"mount it with heron.nomad.docker.volumes: [%q], or keep the state in ZooKeeper", s.State.Root, s.State.Root+":"+s.State.Root)
	}
	if n.DockerNetwork == "host" {
		return nil
	}
	for _, server := range s.State.Servers {
		if loopback(server) {
			return badInput("heron.statemgr.connection.string", "names %s, by which a container of driver docker means itself; "+
				"use an address that containers reach, or heron.nomad.network.mode: host", server)
		}
	}
	return nil
}

// localFile is the path of a file:// URI, or of a bare path.
func localFile(uri string) (string, bool) {
	if strings.HasPrefix(uri, "/") {
		return path.Clean(uri), true
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "file" {
		return "", false
	}
	return path.Clean(u.Path), true
}

// mounted says whether a file of the node is at the same path in a container.
func mounted(volumes []string, file string) bool {
	for _, v := range volumes {
		source, rest, _ := strings.Cut(v, ":")
		target, _, _ := strings.Cut(rest, ":")
		source, target = path.Clean(source), path.Clean(target)
		if source == target && (target == "/" || file == target || strings.HasPrefix(file, target+"/")) {
			return true
		}
	}
	return false
}

func loopback(server string) bool {
	host, _, err := net.SplitHostPort(server)
	if err != nil {
		host = server
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() || strings.EqualFold(host, "localhost")
}
