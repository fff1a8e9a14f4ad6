package jobspec

import (
	"net"
	"net/netip"
	"net/url"
	"path"
	"strings"

	"github.com/heron-nomad/heron/internal/conf"
)

// CheckReach returns an error for what a container in an image needs and could
// not reach: a package or a state in a folder of the node that is not mounted,
// or a ZooKeeper at a loopback address, which in a container is the container
// itself. Such a job can be made and shown, but none of its containers would
// run. Other drivers have no such limits.
func CheckReach(s *conf.Settings, packageURI string) error {
	n := s.Nomad
	if n.Driver != driverDocker {
		return nil
	}
	if file, ok := localFile(packageURI); ok && !mounted(n.DockerVolumes, file) {
		folder := packageRoot(s.Upload, file)
		return badInput("the package", "will be at %s, which containers of driver docker do not see; "+
			"mount its folder with heron.nomad.docker.volumes: [%q], or choose an uploader that nodes can fetch from", packageURI, folder+":"+folder+":ro")
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

// packageRoot is the folder to mount for a package: that of all packages where
// the uploader has one, because the others change with every submission.
func packageRoot(u conf.Upload, file string) string {
	root := ""
	switch u.Kind {
	case "localfs":
		root = u.LocalDir
	case "scp":
		root = u.SCP.Dir
	}
	if root = path.Clean(root); path.IsAbs(root) && strings.HasPrefix(file, strings.TrimRight(root, "/")+"/") {
		return root
	}
	return path.Dir(file)
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
