package nomad

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/testenv"
)

// ownScript is a start script of the original's kind: it has the package
// fetched by heron-core's downloader, with the command that the job names.
const ownScript = `#!/bin/sh
set -e -x
rm -rf "$HERON_NOMAD_WORKING_DIR"
mkdir -p "$HERON_NOMAD_WORKING_DIR"
cd "$HERON_NOMAD_WORKING_DIR"
tar -xzf "${HERON_CORE_PACKAGE_URI#file://}"
$HERON_TOPOLOGY_DOWNLOAD_CMD
trap 'kill -TERM "$!"' TERM
$HERON_EXECUTOR_CMD &
wait "$!"
`

// refusal is a way for a package to get to a container.
type refusal struct {
	// client is that of the agent whose node fetches.
	client *Client
	// uri is that of the file topology.tar.gz in a folder.
	uri func(t *testing.T, dir string) string
	// script is the user's own start script, "" for the shipped one.
	script string
	says   func(*testing.T, *Client, *api.Allocation) string
}

func nomadSays(_ *testing.T, _ *Client, alloc *api.Allocation) string {
	var text string
	for _, event := range alloc.TaskStates[jobspec.TaskName].Events {
		text += event.DisplayMessage + "\n"
	}
	return text
}

func containerSays(t *testing.T, c *Client, alloc *api.Allocation) string {
	return readFile(t, c, alloc, "alloc/logs/executor.stderr.0")
}

func onTheNode(_ *testing.T, dir string) string { return "file://" + dir + "/topology.tar.gz" }

func overHTTP(t *testing.T, dir string) string {
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)
	return server.URL + "/topology.tar.gz"
}

// s3Package puts the file into a bucket, over the one that is there.
func s3Package(t *testing.T, store *testenv.S3Server, dir string) string {
	t.Helper()
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(store.Addr), UsePathStyle: true, Region: store.Region,
		Credentials: credentials.NewStaticCredentialsProvider(store.AccessKey, store.SecretKey, ""),
	})
	if err := os.MkdirAll(filepath.Join(store.Root, "packages"), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "topology.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("packages"), Key: aws.String("p.tar.gz"), Body: f}); err != nil {
		t.Fatal(err)
	}
	return "s3::" + store.Addr + "/packages/p.tar.gz?region=" + store.Region
}

// clientWithS3 is a Nomad whose node has the keys of an S3 server.
func clientWithS3(t *testing.T, store *testenv.S3Server) *Client {
	t.Helper()
	agent, err := testenv.StartNomad(t.Context(), t.TempDir(), testenv.NomadOptions{
		// Without AWS_METADATA_URL Nomad takes AWS's own server, whatever the
		// address says.
		Env: []string{
			"AWS_ACCESS_KEY_ID=" + store.AccessKey, "AWS_SECRET_ACCESS_KEY=" + store.SecretKey, "AWS_METADATA_URL=http://127.0.0.1:1",
		},
		Config: `client { artifact { set_environment_variables = "AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY,AWS_METADATA_URL" } }`,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := agent.Stop(); err != nil {
			t.Error(err)
		}
	})
	return newClient(t, agent.Addr, 20*time.Second)
}

// ownSpec is a topology whose core has our downloader, and this executor.
func ownSpec(t *testing.T, dir, script, downloader, executor string) jobspec.Spec {
	t.Helper()
	program, err := os.ReadFile(downloader)
	if err != nil {
		t.Fatal(err)
	}
	s := realSpec(t, dir)
	s.Settings.Core.SHA256 = pack(t, filepath.Join(dir, "core.tar.gz"), map[string]string{
		"heron-core/bin/heron-executor": executor, "heron-core/bin/heron-downloader": string(program),
	})
	e := &s.Settings.Executor
	e.DownloaderBinary, e.LocalConf, e.ClusterHome = "./heron-core/bin/heron-downloader", "./heron-conf", "./heron-core"
	// The original's script splits at spaces.
	s.Settings.Role = "ads"
	if script != "" {
		s.Script = script
	}
	return s
}

// A package that is another one than submit recorded never gets as far as the
// executor, whichever way it came, and what Nomad shows of the container says
// why.
func TestRealContainersRefuseAChangedPackage(t *testing.T) {
	downloader := testenv.BuildDownloader(t)
	store := testenv.S3(t, testenv.S3Options{})
	inS3 := func(t *testing.T, dir string) string { return s3Package(t, store, dir) }
	here, withKeys := realClient(t), clientWithS3(t, store)
	for name, test := range map[string]refusal{
		"fetched by Nomad":                  {here, overHTTP, "", nomadSays},
		"on the node":                       {here, onTheNode, "", containerSays},
		"fetched by Nomad, script of users": {here, overHTTP, ownScript, nomadSays},
		"on the node, script of users":      {here, onTheNode, ownScript, containerSays},
		"fetched by Nomad from S3":          {withKeys, inS3, "", nomadSays},
	} {
		t.Run(name, func(t *testing.T) {
			c := test.client
			dir := t.TempDir()
			// Whatever is run leaves a mark.
			mark := "#!/bin/sh\n>'" + dir + "'/ran-"
			s := ownSpec(t, dir, test.script, downloader, mark+"core\n")
			s.PackageURI = test.uri(t, dir)
			job := mustBuild(t, s)
			changed := pack(t, filepath.Join(dir, "topology.tar.gz"), map[string]string{"heron-core/bin/heron-executor": mark + "package\n"})
			if test.client == withKeys {
				test.uri(t, dir) // stores it
			}
			job.TaskGroups[0].RestartPolicy.Attempts = new(0)
			job.TaskGroups[0].ReschedulePolicy.Unlimited = new(false)
			register(t, c, job)
			awaitFailed(t, c, job)
			for i, alloc := range byIndex(t, c, job) {
				text := test.says(t, c, alloc)
				digests := strings.Contains(text, s.PackageSHA256) && strings.Contains(text, changed)
				// An older server keeps the cause to itself, so our own text has to
				// say what it may be.
				silent := strings.Contains(text, "getter subprocess failed: exit status 1") && strings.Contains(failureText(alloc.TaskStates[jobspec.TaskName]), "another SHA-256")
				if !digests && !silent {
					t.Errorf("container %d does not say that the package has the digest %s, not %s: %s", i, changed, s.PackageSHA256, text)
				}
			}
			if ran, _ := filepath.Glob(dir + "/ran-*"); len(ran) > 0 {
				t.Errorf("something was run: %v", ran)
			}
		})
	}
}

// The same script starts the containers where the package is the right one.
func TestRealContainersOfUsersOwnScript(t *testing.T) {
	c := realClient(t)
	s := ownSpec(t, t.TempDir(), ownScript, testenv.BuildDownloader(t), waitingExecutor)
	job := mustBuild(t, s)
	start(t, c, job)
	for i, alloc := range byIndex(t, c, job) {
		dir := filepath.Join(jobspec.TaskName, "local", filepath.Base(jobspec.Expand(job, i).Env[envWorkingDir]))
		if got := readFile(t, c, alloc, filepath.Join(dir, s.Definition.Name()+".defn")); got != "definition" {
			t.Errorf("container %d has the definition %q", i, got)
		}
	}
}
