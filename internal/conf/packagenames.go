package conf

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// confInContainer is the folder of the configuration in a container's folder.
const confInContainer = "heron-conf"

// clientOnly are the beginnings of the keys that only this program reads: files that their
// values name are not needed in containers.
func clientOnly() []string {
	return []string{
		"heron.nomad.", "heron.uploader.", "heron.statemgr.tunnel.", "heron.scheduler.tunnel.",
		"heron.statemgr.zookeeper.auth.", "heron.statemgr.zookeeper.tls.", keyScript,
	}
}

// engineValues are all texts in a map but those of keys that only this
// program reads.
func engineValues(m mapping) []string {
	var texts []string
	for _, p := range m {
		key, _ := p.key.(string)
		if !slices.ContainsFunc(clientOnly(), func(prefix string) bool { return strings.HasPrefix(key, prefix) }) {
			texts = appendTexts(texts, p.value)
		}
	}
	return texts
}

func appendTexts(texts []string, v any) []string {
	switch v := v.(type) {
	case string:
		return append(texts, v)
	case []any:
		for _, item := range v {
			texts = appendTexts(texts, item)
		}
	case mapping:
		for _, p := range v {
			texts = appendTexts(texts, p.value)
		}
	}
	return texts
}

// namedIn are the files that values name, directly or by a folder that they
// lie in.
func (p *packer) namedIn(values []string) []string {
	var found []string
	for _, name := range p.names {
		if slices.ContainsFunc(values, func(value string) bool { return p.mentions(value, name) }) {
			found = append(found, name)
		}
	}
	return found
}

// mentions says whether a value is a file's path below the cluster's folder,
// or has in it the path of the file, or of a folder around it, in a container.
func (p *packer) mentions(value, name string) bool {
	if strings.TrimPrefix(strings.TrimSpace(value), "./") == name {
		return true
	}
	for at := name; at != "."; at = path.Dir(at) {
		for _, folder := range []string{confInContainer, "${HERON_CONF}", "${HERON_CLUSTER_CONF}", filepath.ToSlash(p.dir)} {
			if hasWholePath(value, folder+"/"+at) {
				return true
			}
		}
	}
	return false
}

// hasWholePath says whether a path, with its end, is in a text.
func hasWholePath(text, path string) bool {
	for {
		_, after, ok := strings.Cut(text, path)
		if !ok {
			return false
		}
		if after == "" || !nameByte(after[0]) {
			return true
		}
		text = after
	}
}

// nameByte says whether a file's name may continue with a byte.
func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' || c >= 0x80
}
