package conf

import (
	"bytes"
	"slices"
	"strings"
	"unicode"

	"github.com/heron-nomad/heron/internal/lazyregexp"
)

// secretKeys are those whose words mislead: secrets that do not sound so, and
// names of files that hold one and are none.
var secretKeys = map[string]bool{
	"heron.uploader.s3.proxy_uri": true,
	keyGCSCredentials:             true,
	keyNomadTokenFile:             false,
	keyDockerPasswordFile:         false,
	keyHTTPTokenFile:              false,
}

// IsSecret says whether a key, by its name, holds something that must not
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
var passwordURL = lazyregexp.New(`[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s@:]*:[^/?#\s]+@`)

// holdsPassword says whether a text has a URL with a password in it.
func holdsPassword(v any) bool {
	s, ok := v.(string)
	return ok && passwordURL.MatchString(s)
}

// holdsSecret says whether a text is secret whatever its key is called.
func holdsSecret(v any) bool {
	s, ok := v.(string)
	return ok && (passwordURL.MatchString(s) || privateKey.MatchString(s))
}

// holdsQuery says whether the place to post packages to has a query: that may
// be what lets the user in, and no container posts any.
func holdsQuery(key string, v any) bool {
	s, ok := v.(string)
	return ok && key == keyHTTPURI && strings.Contains(s, "?")
}

// withoutSecrets drops secrets at every depth.
func withoutSecrets(v any) any {
	switch v := v.(type) {
	case mapping:
		if len(v) == 0 {
			return v
		}
		out := make(mapping, 0, len(v))
		for _, p := range v {
			if name, ok := p.key.(string); ok && (IsSecret(name) || holdsQuery(name, p.value)) || holdsSecret(p.key) || holdsSecret(p.value) {
				continue
			}
			p.value = withoutSecrets(p.value)
			out = append(out, p)
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, item := range v {
			if !holdsSecret(item) {
				out = append(out, withoutSecrets(item))
			}
		}
		return out
	}
	return v
}

// secretName finds what reads like the name of a key with a value behind it.
var secretName = lazyregexp.New(`([A-Za-z_][A-Za-z0-9_.-]*)["']?[ \t]*[:=]`)

// privateKey begins the text form of a key.
var privateKey = lazyregexp.New(`-----BEGIN [A-Z ]*PRIVATE KEY-----`)

// namesSecret tells the first line of a text that has the name of a secret
// key, an address with a password or a private key, and what it is; line 0 for
// none. What is no text, such as a jar, has no names.
func namesSecret(text []byte) (line int, what string) {
	if bytes.HasPrefix(text, []byte(markUTF16LE)) || bytes.HasPrefix(text, []byte(markUTF16BE)) {
		return 1, "text in UTF-16"
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return 0, ""
	}
	for i, l := range strings.Split(string(text), "\n") {
		for _, m := range secretName.FindAllStringSubmatch(l, -1) {
			if IsSecret(m[1]) {
				return i + 1, m[1]
			}
		}
		if passwordURL.MatchString(l) {
			return i + 1, "an address with a password"
		}
		if privateKey.MatchString(l) {
			return i + 1, "a private key"
		}
	}
	return 0, ""
}
