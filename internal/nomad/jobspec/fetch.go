package jobspec

import (
	"cmp"
	"net/url"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/lazyregexp"
)

// Variables of the start script that others look at too.
const (
	// EnvWorkingDir is the folder that a container works in.
	EnvWorkingDir = "HERON_NOMAD_WORKING_DIR"
	// EnvDownload is the original's command that fetches the package.
	EnvDownload = "HERON_TOPOLOGY_DOWNLOAD_CMD"
)

// Variables of the start script. Those from HERON_USE_CORE_PACKAGE_URI to
// HOST, and those above, are the original's, so that its scripts still work.
const (
	envUseCoreURI  = "HERON_USE_CORE_PACKAGE_URI"
	envCoreURI     = "HERON_CORE_PACKAGE_URI"
	envCoreDir     = "HERON_CORE_PACKAGE_DIR"
	envExecutor    = "HERON_EXECUTOR_CMD"
	envMetricsFile = "METRICS_PORT_FILE"
	// HOST is what an executor in an image announces itself as.
	envHost = "HOST"
	// The *File ones are the path on the node, the *SHA256 ones the digest in
	// hex, not set where it is not known.
	envCoreFile      = "HERON_CORE_PACKAGE_FILE"
	envCoreSHA256    = "HERON_CORE_PACKAGE_SHA256"
	envPackageURI    = "HERON_TOPOLOGY_PACKAGE_URI"
	envPackageFile   = "HERON_TOPOLOGY_PACKAGE_FILE"
	envPackageSHA256 = "HERON_TOPOLOGY_PACKAGE_SHA256"
)

// PendingURI stands for a package URI that only a server can tell. A job
// with it can be shown, not run.
const PendingURI = "pending"

// What Nomad fetches lies below the task's directory under these names.
const (
	taskDir     = "${NOMAD_TASK_DIR}"
	packageName = "topology.tar.gz"
	coreName    = "heron-core.tar.gz"
)

// source is a file that a container needs, and how it gets to the node.
type source struct {
	// path is where the file lies on the node when the task starts.
	path string
	// artifact is set where Nomad fetches the file.
	artifact *api.TaskArtifact
}

// fetched tells how the file at uri reaches a node: Nomad fetches it below
// the task's directory under the given name, or it lies on the node already.
// What is the configuration key or the like that uri comes from.
func fetched(what, uri, sha256, name string) (source, error) {
	if sha256 != "" && !isSHA256(sha256) {
		return source{}, badInput("the SHA-256 of "+what, "is %q; use 64 hex digits", sha256)
	}
	if strings.HasPrefix(uri, "/") {
		return source{path: uri}, nil
	}
	// A getter can be named before the URI, as in s3::https://host/bucket/key.
	getter, rest, forced := strings.Cut(uri, "::")
	if !forced {
		rest = uri
	}
	u, err := url.Parse(rest)
	if err != nil {
		return source{}, badInput(what, "is %q, not a URI: %v", uri, err)
	}
	switch {
	case !forced && u.Scheme == "file":
		if u.Host != "" && u.Host != "localhost" || !strings.HasPrefix(u.Path, "/") {
			return source{}, badInput(what, "is %q; use file:// and an absolute path", uri)
		}
		return source{path: u.Path}, nil
	case forced && (getter == "s3" || getter == "gcs"),
		u.Scheme == "http", u.Scheme == "https", u.Scheme == "s3", uri == PendingURI:
		return source{path: taskDir + "/" + name, artifact: artifact(uri, sha256, name)}, nil
	}
	return source{}, badInput(what, "is %q; nodes can fetch file, http, https and s3 URIs", uri)
}

// artifact has Nomad fetch one file as it is. The name is ours, for that of
// the URI need not tell anything.
func artifact(uri, sha256, name string) *api.TaskArtifact {
	opts := map[string]string{"archive": "false"}
	if sha256 != "" {
		opts["checksum"] = "sha256:" + strings.ToLower(sha256)
	}
	return &api.TaskArtifact{
		GetterSource:  ptr(uri),
		GetterMode:    ptr("file"),
		GetterOptions: opts,
		RelativeDest:  ptr("local/" + name),
	}
}

var sha256Hex = lazyregexp.New(`^[0-9a-fA-F]{64}$`)

func isSHA256(text string) bool { return sha256Hex.MatchString(text) }

// packageFetch sets the variables of the topology's package and says what
// Nomad is to fetch for it.
func (s Spec) packageFetch(env map[string]string) (*api.TaskArtifact, error) {
	src, err := fetched("the package", s.packageFetchURI(), s.PackageSHA256, packageName)
	if err != nil {
		return nil, err
	}
	env[envPackageURI] = s.packageFetchURI()
	env[envPackageFile] = src.path
	setIf(env, envPackageSHA256, strings.ToLower(s.PackageSHA256))
	return src.artifact, nil
}

func (s Spec) packageFetchURI() string { return cmp.Or(s.PackageFetch, s.PackageURI) }

// coreFetch does the same for heron-core.
func (s Spec) coreFetch(env map[string]string) (*api.TaskArtifact, error) {
	core := s.Settings.Core
	if s.docker() {
		env[envUseCoreURI], env[envCoreDir] = "false", imageCore
		return nil, nil
	}
	if !core.UseURI {
		if core.Directory == "" {
			return nil, badInput("heron.package.core.directory", "is not set, and heron.package.use_core_uri is false; set one")
		}
		if !strings.HasPrefix(core.Directory, "/") {
			return nil, badInput("heron.package.core.directory", "is %q; use an absolute path, as it is on the nodes", core.Directory)
		}
		env[envUseCoreURI], env[envCoreDir] = "false", core.Directory
		return nil, nil
	}
	src, err := fetched("heron.package.core.uri", core.URI, core.SHA256, coreName)
	if err != nil {
		return nil, err
	}
	env[envUseCoreURI], env[envCoreURI], env[envCoreFile] = "true", core.URI, src.path
	setIf(env, envCoreSHA256, strings.ToLower(core.SHA256))
	return src.artifact, nil
}

// PackageFetch is where a job of ours fetches the topology's package from, ""
// where it does not tell. It may be a presigned URL, so it is not for show.
func PackageFetch(job *api.Job) string {
	for _, group := range job.TaskGroups {
		for _, task := range group.Tasks {
			if uri := task.Env[envPackageURI]; uri != "" {
				return uri
			}
		}
	}
	return ""
}

func setIf(env map[string]string, key, value string) {
	if value != "" {
		env[key] = value
	}
}

func ptr[T any](v T) *T { return &v }
