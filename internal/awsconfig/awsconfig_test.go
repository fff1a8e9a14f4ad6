package awsconfig

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// bare has the SDK find nothing in the environment, and ask nobody.
func bare(t *testing.T) (dir string) {
	t.Helper()
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "AWS_") || strings.HasSuffix(strings.ToUpper(name), "_PROXY") {
			t.Setenv(name, "")
		}
	}
	dir = t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "credentials"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	return dir
}

func write(t *testing.T, file, text string) string {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestErrorsNameWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		env, file string
		says      []string
	}{
		"a bundle that is missing":     {env: "AWS_CA_BUNDLE=/nowhere/ca.pem", says: []string{"AWS_CA_BUNDLE", "/nowhere/ca.pem", "cannot be read", "no such file"}},
		"a bundle that is a folder":    {env: "AWS_CA_BUNDLE=/", says: []string{"AWS_CA_BUNDLE", "cannot be read"}},
		"a bundle without any":         {env: "AWS_CA_BUNDLE=/dev/null", says: []string{"AWS_CA_BUNDLE", "holds no certificate in PEM"}},
		"a profile's bundle, missing":  {file: "[default]\nca_bundle = /nowhere/ca.pem\n", says: []string{"ca_bundle", `"default"`, "/nowhere/ca.pem", "no such file"}},
		"a profile's bundle, no PEM":   {file: "[default]\nca_bundle = /dev/null\n", says: []string{"ca_bundle", "holds no certificate in PEM"}},
		"a profile that is missing":    {env: "AWS_PROFILE=other", says: []string{"AWS profile", `"other"`}},
		"attempts":                     {env: "AWS_MAX_ATTEMPTS=x", says: []string{"AWS_MAX_ATTEMPTS"}},
		"checksums":                    {env: "AWS_REQUEST_CHECKSUM_CALCULATION=never", says: []string{"AWS_REQUEST_CHECKSUM_CALCULATION", "when_required"}},
		"validation":                   {env: "AWS_RESPONSE_CHECKSUM_VALIDATION=never", says: []string{"AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required"}},
		"a profile's checksums":        {file: "[default]\nrequest_checksum_calculation = never\n", says: []string{"request_checksum_calculation", "when_required"}},
		"the address of a container":   {env: "AWS_CONTAINER_CREDENTIALS_FULL_URI=nowhere", says: []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "nowhere"}},
		"a proxy":                      {env: "https_proxy=ftp://ann:sesame@h", says: []string{"https_proxy", "user:password@host:port"}},
		"a configuration as a folder":  {env: "AWS_CONFIG_FILE=/", says: []string{"AWS configuration", "/"}},
		"a bundle although one is set": {env: "AWS_CA_BUNDLE=/nowhere/env.pem", file: "[default]\nca_bundle = /nowhere/file.pem\n", says: []string{"AWS_CA_BUNDLE", "/nowhere/env.pem"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := bare(t)
			write(t, filepath.Join(dir, "config"), c.file)
			if variable, value, ok := strings.Cut(c.env, "="); ok {
				t.Setenv(variable, value)
			}
			_, err := Load(t.Context(), Options{})
			var wrong *Error
			if !errors.As(err, &wrong) || strings.Contains(err.Error(), "sesame") {
				t.Fatalf("got %v, want an *Error", err)
			}
			for _, text := range c.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%v does not say %q", err, text)
				}
			}
		})
	}
}

func TestWhyNamesTheVariableOfAFile(t *testing.T) {
	for variable, others := range map[string]map[string]string{
		"AWS_WEB_IDENTITY_TOKEN_FILE":            {"AWS_ROLE_ARN": "arn:aws:iam::1:role/x", "AWS_REGION": "us-east-1"},
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/x"},
	} {
		bare(t)
		t.Setenv(variable, "/nowhere/token")
		for name, value := range others {
			t.Setenv(name, value)
		}
		loaded, err := Load(t.Context(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = loaded.Credentials.Retrieve(t.Context())
		if err == nil || Why(err) != variable+` "/nowhere/token" cannot be read: no such file or directory` {
			t.Errorf("%s: got %v", variable, err)
		}
		for name := range others {
			t.Setenv(name, "")
		}
	}
}

func TestLoadTakesWhatTheEnvironmentSays(t *testing.T) {
	dir := bare(t)
	write(t, filepath.Join(dir, "config"), "[profile low]\nrequest_checksum_calculation = when_required\nresponse_checksum_validation = when_required\nregion = eu-west-3\n")
	t.Setenv("HTTP_PROXY", "ann:p@s/s@h:80")
	loaded, err := Load(t.Context(), Options{Profile: "low", Transport: func(t *http.Transport) { t.MaxIdleConnsPerHost = 7 }})
	if err != nil {
		t.Fatal(err)
	}
	if loaded.RequestChecksumCalculation != aws.RequestChecksumCalculationWhenRequired ||
		loaded.ResponseChecksumValidation != aws.ResponseChecksumValidationWhenRequired || loaded.Region != "eu-west-3" {
		t.Errorf("loaded is %v, %v, %s", loaded.RequestChecksumCalculation, loaded.ResponseChecksumValidation, loaded.Region)
	}
	transport := loaded.HTTPClient.(*awshttp.BuildableClient).GetTransport()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://bucket.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := transport.Proxy(r)
	if err != nil || proxy == nil || transport.MaxIdleConnsPerHost != 7 {
		t.Fatalf("the transport is %+v, %v", transport, err)
	}
	if password, _ := proxy.User.Password(); password != "p@s/s" || proxy.Host != "h:80" {
		t.Errorf("the proxy is %s", proxy.Redacted())
	}
}
