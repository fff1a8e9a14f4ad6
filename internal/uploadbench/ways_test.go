package uploadbench

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/testenv"
)

// settings are those of uploads with the shipped configuration and some
// properties.
func settings(b *testing.B, home string, properties ...string) conf.Upload {
	b.Helper()
	loaded, err := conf.Load(conf.Options{
		Home: home, UserHome: home, Dir: filepath.Join(testenv.Root(), "conf", "nomad"),
		Properties: properties, Cluster: "nomad", Role: "ads", Environ: "prod", User: "ann",
	})
	if err != nil {
		b.Fatal(err)
	}
	s, err := loaded.Settings()
	if err != nil {
		b.Fatal(err)
	}
	return s.Upload
}

// bucket holds the packages of S3.
const bucket = "packages"

// s3Way compares with a program that sends the file in one request.
func s3Way(b *testing.B, through func(string) string) way {
	root := folder(b)
	server := testenv.S3(b, testenv.S3Options{Root: root})
	if err := os.Mkdir(filepath.Join(root, bucket), 0o755); err != nil {
		b.Fatal(err)
	}
	endpoint := "http://" + through(strings.TrimPrefix(server.Addr, "http://"))
	return way{
		order: order{Settings: settings(b, root, "heron.class.uploader=s3", "heron.uploader.s3.bucket="+bucket,
			"heron.uploader.s3.region="+server.Region, "heron.uploader.s3.uri="+endpoint)},
		env:   []string{"AWS_ACCESS_KEY_ID=" + server.AccessKey, "AWS_SECRET_ACCESS_KEY=" + server.SecretKey, "AWS_EC2_METADATA_DISABLED=true"},
		peer:  func(o order) *exec.Cmd { return clientCommand(b, "put-object", o) },
		store: root,
	}
}

// scpWay compares with OpenSSH's scp.
func scpWay(b *testing.B, through func(string) string) way {
	server := testenv.SSHD(b, testenv.SSHOptions{})
	home, dir := testenv.SSHHome(b, server), folder(b)
	host, port, err := net.SplitHostPort(through(net.JoinHostPort(server.Host, server.Port)))
	if err != nil {
		b.Fatal(err)
	}
	known := filepath.Join(home, ".ssh", "known_hosts")
	line := "[" + host + "]:" + port + " " + server.HostKey(b) + "\n"
	if err := os.WriteFile(known, []byte(line), 0o600); err != nil {
		b.Fatal(err)
	}
	return way{
		order: order{Home: home, Settings: settings(b, home, "heron.class.uploader=scp", "heron.uploader.scp.dir.path="+dir,
			"heron.uploader.scp.command.connection="+server.User+"@"+host, "heron.uploader.ssh.command.options=-p "+port)},
		peer: func(o order) *exec.Cmd {
			return exec.Command("scp", "-q", "-F", "/dev/null", "-P", port,
				"-i", filepath.Join(home, ".ssh", "id_ed25519"), "-o", "UserKnownHostsFile="+known,
				o.File, server.User+"@"+host+":"+filepath.Join(dir, "peer.tar.gz"))
		},
		store: dir,
	}
}

// httpWay compares with curl.
func httpWay(b *testing.B, through func(string) string) way {
	server := testenv.RunPackageServer(b, testenv.PackageServerOptions{Dir: folder(b)})
	target := strings.Replace(server.Upload, strings.TrimPrefix(server.URL, "http://"), through(strings.TrimPrefix(server.URL, "http://")), 1)
	return way{
		order: order{Settings: settings(b, server.Dir, "heron.class.uploader=http", "heron.uploader.http.uri="+target)},
		peer: func(o order) *exec.Cmd {
			return exec.Command("curl", "-sS", "--fail", "-F", "file=@"+o.File, target)
		},
		store: server.Dir,
	}
}
