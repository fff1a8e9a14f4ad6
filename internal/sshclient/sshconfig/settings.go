package sshconfig

import "slices"

// origin is where a value comes from.
type origin int

const (
	fromSystem origin = iota // the system's configuration
	fromUser                 // the user's configuration, or an option -o
	fromOption               // an option of its own, such as -i
)

// keyFile is a file with a key or a certificate.
type keyFile struct {
	name string
	from origin
}

// maxKeyFiles bounds how many keys, and how many certificates, may be
// configured.
const maxKeyFiles = 100

// settings are values by keyword in lower case. The first value of a keyword
// counts, except that identities and certificates collect.
type settings struct {
	values map[string][]string
	// identities and certificates are as configured, tokens and all.
	identities, certificates []keyFile
	jump                     *jump
	// missing are identities of the command line that are not there.
	missing []string
}

func newSettings() *settings { return &settings{values: map[string][]string{}} }

// get is the value of a keyword, "" if it has none.
func (s *settings) get(key string) string {
	if len(s.values[key]) == 0 {
		return ""
	}
	return s.values[key][0]
}

func (s *settings) has(key string) bool { return len(s.values[key]) > 0 }

// put adds a value that was read. It reports whether that changed anything.
func (s *settings) put(key string, values []string, from origin) bool {
	switch key {
	case "identityfile":
		return add(&s.identities, keyFile{values[0], from})
	case "certificatefile":
		return add(&s.certificates, keyFile{values[0], from})
	case "proxycommand":
		// Of this and a ProxyJump with hosts the first counts.
		if s.jump != nil && !s.jump.none {
			return false
		}
	}
	if len(values) == 0 || s.has(key) {
		return false
	}
	s.values[key] = values
	return true
}

func add(files *[]keyFile, file keyFile) bool {
	if slices.Contains(*files, file) {
		return false
	}
	*files = append(*files, file)
	return true
}

// putJump adds a ProxyJump. It reports whether that changed anything.
func (s *settings) putJump(j *jump) bool {
	if s.jump != nil || s.has("proxycommand") && !j.none {
		return false
	}
	s.jump = j
	return true
}

// override sets a value whatever it was: some options of a command line do.
func (s *settings) override(key, value string) { s.values[key] = []string{value} }
