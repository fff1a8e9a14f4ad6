// Package awsconfig reads settings and credentials for S3 from where AWS's own
// tools find them: the environment, ~/.aws, and the role of the machine. It
// adds proxies whose passwords hold any character, and errors that name the
// variable or file that is wrong.
package awsconfig

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"

	"github.com/heron-nomad/heron/internal/proxyurl"
)

// Options come before what the environment and the files say. A zero leaves
// it to them.
type Options struct {
	Region  string
	Profile string
	// Credentials are the ones to use.
	Credentials aws.CredentialsProvider
	// Retryer repeats requests; nil repeats none.
	Retryer func() aws.Retryer
	// Transport changes the HTTP transport.
	Transport func(*http.Transport)
}

// Profile is what an Error is about where there is no such profile.
const Profile = "AWS profile"

// Error is a setting that is wrong.
type Error struct {
	// What is the variable, the key of a file or the thing that is wrong;
	// Value is what it says, "" where it may be a secret.
	What, Value string
	// Reason says what is wrong with it.
	Reason string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Value == "" {
		return e.What + ": " + e.Reason
	}
	return fmt.Sprintf("%s %q: %s", e.What, e.Value, e.Reason)
}

// Load reads the settings; it connects to nothing. What it cannot use is an
// *Error. The HTTP client in the result is the caller's to close.
func Load(ctx context.Context, o Options) (aws.Config, error) {
	env, err := config.NewEnvConfig()
	if err != nil {
		// It names the variable.
		return aws.Config{}, &Error{What: "AWS environment", Reason: err.Error()}
	}
	if err := checkEnv(env); err != nil {
		return aws.Config{}, err
	}
	proxy, err := proxyurl.FromEnvironment(os.Getenv)
	var variable *proxyurl.VariableError
	if errors.As(err, &variable) {
		return aws.Config{}, &Error{What: variable.Name, Reason: "is not the address of a proxy: " + proxyurl.Form}
	}
	retryer := o.Retryer
	if retryer == nil {
		retryer = func() aws.Retryer { return aws.NopRetryer{} }
	}
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.Proxy = proxy
			if o.Transport != nil {
				o.Transport(t)
			}
		})),
		// What matters is in errors; the SDK would write to standard error itself.
		config.WithLogger(logging.Nop{}),
		config.WithRetryer(retryer),
	}
	if o.Region != "" {
		options = append(options, config.WithRegion(o.Region))
	}
	if o.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(o.Profile))
	}
	if o.Credentials != nil {
		options = append(options, config.WithCredentialsProvider(o.Credentials))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	var missing config.SharedConfigProfileNotExistError
	switch {
	case errors.As(err, &missing):
		return aws.Config{}, &Error{What: Profile, Value: missing.Profile, Reason: "is not in AWS's configuration files"}
	case err != nil:
		if bundle := checkProfile(ctx, env, o.Profile); bundle != nil {
			return aws.Config{}, bundle
		}
		return aws.Config{}, &Error{What: "AWS configuration", Value: o.Profile, Reason: err.Error()}
	}
	return loaded, nil
}

// checkEnv looks at what the SDK reports without the name of the variable.
func checkEnv(env config.EnvConfig) error {
	if env.CustomCABundle != "" {
		if reason := badBundle(env.CustomCABundle); reason != "" {
			return &Error{What: "AWS_CA_BUNDLE", Value: env.CustomCABundle, Reason: reason}
		}
	}
	if text := env.ContainerCredentialsEndpoint; text != "" {
		if u, err := url.Parse(text); err != nil || u.Hostname() == "" {
			return &Error{What: "AWS_CONTAINER_CREDENTIALS_FULL_URI", Value: text, Reason: "is not a URL with a host"}
		}
	}
	return nil
}

// checkProfile looks at the ca_bundle of a profile, of which the SDK says
// neither key nor profile.
func checkProfile(ctx context.Context, env config.EnvConfig, profile string) error {
	profile = cmp.Or(profile, env.SharedConfigProfile, config.DefaultSharedConfigProfile)
	shared, err := config.LoadSharedConfigProfile(ctx, profile, func(o *config.LoadSharedConfigOptions) {
		if env.SharedConfigFile != "" {
			o.ConfigFiles = []string{env.SharedConfigFile}
		}
		if env.SharedCredentialsFile != "" {
			o.CredentialsFiles = []string{env.SharedCredentialsFile}
		}
	})
	if err != nil || shared.CustomCABundle == "" {
		return nil //nolint:nilerr // it is another fault, of which the caller has the error
	}
	if reason := badBundle(shared.CustomCABundle); reason != "" {
		return &Error{What: fmt.Sprintf("ca_bundle of AWS profile %q", profile), Value: shared.CustomCABundle, Reason: reason}
	}
	return nil
}

// badBundle says why a file gives no certificates, "" where it does.
func badBundle(file string) string {
	text, reason := read(file)
	if reason == "" && !x509.NewCertPool().AppendCertsFromPEM(text) {
		reason = "holds no certificate in PEM"
	}
	return reason
}

// read reads a file, or says why it cannot be read.
func read(file string) (text []byte, reason string) {
	text, err := os.ReadFile(file)
	if err == nil {
		return text, ""
	}
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return nil, "cannot be read: " + err.Error()
}

// Why is the reason in an error of a credentials provider, without the way to
// it, and with the variable that named a file which cannot be read.
func Why(err error) string {
	for _, name := range []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"} {
		// The SDK keeps the text of the error alone.
		file := os.Getenv(name)
		if file == "" || !strings.Contains(err.Error(), file) {
			continue
		}
		if _, reason := read(file); reason != "" {
			return fmt.Sprintf("%s %q %s", name, file, reason)
		}
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err.Error()
}
