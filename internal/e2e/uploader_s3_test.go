package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/heron-nomad/heron/internal/testenv"
)

// s3Cluster is a cluster whose packages are in a private bucket.
type s3Cluster struct {
	*cluster
	server *testenv.S3Server
	bucket string
}

// handsKeysOn is how an agent gives what fetches packages its keys, as
// docs/upload-s3.md tells operators to set it up.
const handsKeysOn = `
client {
  artifact {
    set_environment_variables = "AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY,AWS_METADATA_URL"
  }
}
`

// nodeKeys are the variables of an agent with the keys of a server.
func nodeKeys(server *testenv.S3Server) []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + server.AccessKey, "AWS_SECRET_ACCESS_KEY=" + server.SecretKey,
		"AWS_METADATA_URL=http://127.0.0.1:1",
	}
}

// nodesWithKeys is a Nomad agent whose node has keys for an S3 server of its
// own.
func nodesWithKeys(t *testing.T, server *testenv.S3Server) string {
	t.Helper()
	dir := t.TempDir()
	nomad, err := testenv.StartNomad(t.Context(), dir, testenv.NomadOptions{Config: handsKeysOn, Env: nodeKeys(server)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := nomad.Stop(); err != nil {
			t.Error(err)
		}
	})
	return nomad.Addr
}

func newS3Cluster(t *testing.T, server *testenv.S3Server, nomad string) *s3Cluster {
	t.Helper()
	c := newCluster(t)
	if nomad != "" {
		c.nomad, c.client = nomad, nil
		c.properties["heron.nomad.scheduler.uri"] = nomad
	}
	dir, err := os.MkdirTemp(server.Root, "packages-")
	if err != nil {
		t.Fatal(err)
	}
	s := &s3Cluster{cluster: c, server: server, bucket: filepath.Base(dir)}
	delete(c.properties, "heron.uploader.localfs.file.system.directory")
	for key, value := range map[string]string{
		"heron.class.uploader":          "org.apache.heron.uploader.s3.S3Uploader",
		"heron.uploader.s3.uri":         server.Addr,
		"heron.uploader.s3.bucket":      s.bucket,
		"heron.uploader.s3.path_prefix": "/heron/${CLUSTER}/",
		"heron.uploader.s3.region":      server.Region,
	} {
		c.properties[key] = value
	}
	c.env = append(c.env, "AWS_ACCESS_KEY_ID="+server.AccessKey, "AWS_SECRET_ACCESS_KEY="+server.SecretKey, "AWS_EC2_METADATA_DISABLED=true")
	return s
}

func (s *s3Cluster) client3() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &s.server.Addr, UsePathStyle: true, Region: s.server.Region,
		Credentials: credentials.NewStaticCredentialsProvider(s.server.AccessKey, s.server.SecretKey, ""),
	})
}

// objects are those of the bucket, unfinished ones with an ellipsis.
func (s *s3Cluster) objects() (names []string) {
	s.t.Helper()
	ctx := context.Background()
	objects, err := s.client3().ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &s.bucket})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, o := range objects.Contents {
		names = append(names, *o.Key)
	}
	uploads, err := s.client3().ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &s.bucket})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, u := range uploads.Uploads {
		names = append(names, *u.Key+"...")
	}
	return names
}

func (s *s3Cluster) nothingLeft() {
	s.t.Helper()
	if left := s.objects(); len(left) > 0 {
		s.t.Errorf("objects are left: %q", left)
	}
	s.cluster.nothingLeft()
}

func (s *s3Cluster) letEverybodyRead() {
	s.t.Helper()
	policy := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::%s/*"}]}`, s.bucket)
	if _, err := s.client3().PutBucketPolicy(context.Background(), &s3.PutBucketPolicyInput{Bucket: &s.bucket, Policy: aws.String(policy)}); err != nil {
		s.t.Fatal(err)
	}
}

func TestSubmitWithAPrivateBucket(t *testing.T) {
	t.Parallel()
	server := testenv.S3(t, testenv.S3Options{Region: "eu-west-3"})
	nomad := nodesWithKeys(t, server)
	for fetch, begins := range map[string]string{
		"s3": "s3::" + server.Addr + "/", "presigned": server.Addr + "/", "public": server.Addr + "/",
	} {
		t.Run(fetch, func(t *testing.T) {
			s := newS3Cluster(t, server, nomad)
			s.properties["heron.uploader.s3.fetch"] = fetch
			if fetch == "public" {
				s.want(s.submit(), 7, "as nodes will", "403", "heron.uploader.s3.fetch")
				s.nothingLeft()
				s.letEverybodyRead()
			}
			r := s.submit("--wait", "--verbose")
			s.want(r, 0, "topology "+s.topology+" runs at")
			objects := s.objects()
			if len(objects) != 1 || !strings.HasPrefix(objects[0], "heron/nomad/nomad/ann/default/"+s.topology+"/") {
				t.Errorf("objects are %q", objects)
			}
			job := s.job()
			source := *job.TaskGroups[0].Tasks[0].Artifacts[len(job.TaskGroups[0].Tasks[0].Artifacts)-1].GetterSource
			if !strings.HasPrefix(source, begins) || strings.Contains(source, "X-Amz-Signature=") != (fetch == "presigned") {
				t.Errorf("nodes fetch %s", source)
			}
			uri := "s3::" + server.Addr + "/" + s.bucket + "/" + objects[0] + "?region=eu-west-3"
			if got := job.Meta["heron.package.uri"]; got != uri {
				t.Errorf("the job names %q, want %s", got, uri)
			}
			s.want(s.plan(nil, "--stmgrs", "2"), 0, "runs as it would be submitted")
			differs := s.plan([]string{"--output", "json"}, "--stmgrs", "3")
			s.want(differs, 3)
			killed := s.kill("--verbose")
			s.want(killed, 0, "topology "+s.topology+" killed")
			for _, text := range []string{r.String(), differs.String(), killed.String()} {
				for _, secret := range []string{server.SecretKey, server.AccessKey, "X-Amz-Signature"} {
					if strings.Contains(text, secret) {
						t.Errorf("shows %s: %s", secret, text)
					}
				}
			}
			s.nothingLeft()
		})
	}
}

func TestSubmitWithABucketThatDoesNotWork(t *testing.T) {
	t.Parallel()
	server := testenv.S3(t, testenv.S3Options{Region: "eu-west-3"})
	for name, c := range map[string]struct {
		change func(s *s3Cluster)
		code   int
		says   []string
	}{
		"wrong region":   {func(s *s3Cluster) { s.properties["heron.uploader.s3.region"] = "us-east-1" }, 1, []string{"is in region eu-west-3, not us-east-1"}},
		"missing bucket": {func(s *s3Cluster) { s.properties["heron.uploader.s3.bucket"] = "no-such-bucket" }, 1, []string{`there is no bucket "no-such-bucket"`}},
		"refused":        {func(s *s3Cluster) { s.env = append(s.env, "AWS_SECRET_ACCESS_KEY=wrong") }, 1, []string{"access denied", "SignatureDoesNotMatch"}},
		"no credentials": {func(s *s3Cluster) { s.env = append(s.env, "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=") }, 1, []string{"access denied", "find credentials"}},
		"unreachable": {func(s *s3Cluster) {
			s.properties["heron.uploader.s3.uri"], s.properties["heron.uploader.retry.count"] = "http://127.0.0.1:1", "0"
		}, 6, []string{"http://127.0.0.1:1"}},
		"no bucket":   {func(s *s3Cluster) { delete(s.properties, "heron.uploader.s3.bucket") }, 2, []string{"heron.uploader.s3.bucket: missing"}},
		"small parts": {func(s *s3Cluster) { s.properties["heron.uploader.s3.part.size"] = "1MiB" }, 2, []string{"heron.uploader.s3.part.size: is out of range"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newS3Cluster(t, server, "")
			c.change(s)
			r := s.submit()
			s.want(r, c.code, append(c.says, "heron: ")...)
			if strings.Contains(r.String(), server.SecretKey) {
				t.Errorf("shows the secret: %s", r)
			}
			s.nothingLeft()
		})
	}
}
