package conf

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// secretKeys are those whose words mislead: secrets that do not sound so, and
// names of files that hold one and are none.
var secretKeys = map[string]bool{
	"heron.uploader.s3.proxy_uri":         true,
	"heron.uploader.gcs.credentials_path": true,
	keyNomadTokenFile:                     false,
	keyDockerPasswordFile:                 false,
	keyHTTPTokenFile:                      false,
}

// IsSecret tells whether a key, by its name, holds something that must not
// leave the client: a password, a token, a private or access key. Words count
// however they are joined: secret_key, secret.key, secretKey.
func IsSecret(key string) bool {
	if secret, listed := secretKeys[key]; listed {
		return secret
	}
	words := splitWords(key)
	for i, w := range words {
		switch w {
		case "password", "passwd", "passphrase", "passwords", "secret", "secrets", "token", "tokens",
			"credential", "credentials", "apikey", "accesskey", "secretkey", "privatekey", "jaas":
			return true
		case "key", "keys":
			if i > 0 && slices.Contains([]string{"access", "private", "api", "auth", "encryption", "signing"}, words[i-1]) {
				return true
			}
		}
	}
	return false
}

// splitWords cuts a key at everything that is not a letter or digit and where
// a small letter meets a capital.
func splitWords(key string) []string {
	var b strings.Builder
	var last rune
	for _, r := range key {
		if unicode.IsLower(last) && unicode.IsUpper(r) {
			b.WriteByte(' ')
		}
		last = r
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			r = ' '
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return strings.Fields(b.String())
}

// passwordURL finds user:password@ in a URL, wherever in a text it stands and
// whatever its scheme is made of.
var passwordURL = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s@:]*:[^/?#\s]+@`)

// holdsPassword tells whether a text has a URL with a password in it.
func holdsPassword(v any) bool {
	s, ok := v.(string)
	return ok && passwordURL.MatchString(s)
}

// holdsQuery tells whether the place to post packages to has a query: that may
// be what lets the user in, and no container posts any.
func holdsQuery(key string, v any) bool {
	s, ok := v.(string)
	return ok && key == keyHTTPURI && strings.Contains(s, "?")
}

// withoutSecrets drops secrets at every depth and tells whether there were
// any.
func withoutSecrets(v any) (clean any, dropped bool) {
	switch v := v.(type) {
	case mapping:
		out := make(mapping, 0, len(v))
		for _, p := range v {
			if name, ok := p.key.(string); ok && (IsSecret(name) || holdsQuery(name, p.value)) || holdsPassword(p.value) {
				dropped = true
				continue
			}
			value, d := withoutSecrets(p.value)
			p.value, dropped = value, dropped || d
			out = append(out, p)
		}
		return out, dropped
	case []any:
		out := make([]any, 0, len(v))
		for _, item := range v {
			if holdsPassword(item) {
				dropped = true
				continue
			}
			value, d := withoutSecrets(item)
			dropped = dropped || d
			out = append(out, value)
		}
		return out, dropped
	}
	return v, false
}

// SecretFree returns a YAML file of the cluster directory as it may go into
// the package. Where it holds no secret it comes back byte for byte; else its
// keys are written anew without the secret ones, and without its comments,
// which may hold one too.
func (l *Loaded) SecretFree(file string, data []byte) ([]byte, error) {
	m, err := parseYAML(file, data)
	if err != nil {
		return nil, err
	}
	clean, dropped := withoutSecrets(m)
	if !dropped {
		return data, nil
	}
	return emit(clean.(mapping)), nil
}
