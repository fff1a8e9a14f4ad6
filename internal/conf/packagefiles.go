package conf

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// PackageFile is a file of the cluster's folder that goes into packages.
type PackageFile struct {
	// Name is the path below the folder, with slashes.
	Name string
	// Data holds no secrets and no comments.
	Data []byte
	// Private says that only the owner of the file may read it.
	Private bool
}

// engineFileKeys name the files that Heron's processes read in a container,
// beside override.yaml, which is made anew for each package.
func engineFileKeys() []string {
	return append(slices.Clone(clientFiles[:]), keyMetrics, keyInternals)
}

// PackageFiles are the files of the cluster's folder that containers need,
// sorted by name: those that Heron's processes read, the start script, and
// those that they name, as heron-conf/NAME or by a value that is their path.
// Behind them stand the release file and override.yaml.
//
// YAML is written anew, in a form that all of Heron's readers read alike:
// without secrets, comments, aliases and byte order marks. Hidden files, what
// editors leave behind, and files that hold a secret are never packed. A file
// that has the name of a secret key and is no YAML is an *Error.
func (l *Loaded) PackageFiles() ([]PackageFile, error) {
	p, err := l.newPacker()
	if err != nil {
		return nil, err
	}
	local, err := l.Local()
	if err != nil {
		return nil, err
	}
	for _, key := range engineFileKeys() {
		path, _, err := local.String(key)
		if err != nil || path == "" {
			continue
		}
		adapt := asIs
		if key == keyStatemgr {
			adapt = func(m mapping) (mapping, error) { return l.forExecutors(path, m) }
		}
		if err := p.addEngineFile(path, key == keyStatemgr || key == keyStateful, adapt); err != nil {
			return nil, err
		}
	}
	script, _, err := local.String(keyScript)
	if err != nil || script == "" {
		script = filepath.Join(l.opts.Dir, defaultScript)
	}
	if err := p.addScript(script); err != nil {
		return nil, err
	}
	// What a file names may name more.
	for len(p.texts) > 0 {
		values := p.texts[0]
		p.texts = p.texts[1:]
		for _, name := range p.namedIn(values) {
			if err := p.add(name); err != nil {
				return nil, err
			}
		}
	}
	files := make([]PackageFile, 0, len(p.packed))
	for _, f := range p.packed {
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b PackageFile) int { return strings.Compare(a.Name, b.Name) })
	return l.addOwn(files)
}

// addOwn adds the release file and the overrides, which take the place of the
// files of these names.
func (l *Loaded) addOwn(files []PackageFile) ([]PackageFile, error) {
	if err := l.checkRelease(); err != nil {
		return nil, err
	}
	text, err := l.OverrideYAML()
	if err != nil {
		return nil, err
	}
	override := PackageFile{Name: overrideName, Data: text}
	if info, err := os.Stat(filepath.Join(l.opts.Dir, overrideName)); err == nil {
		override.Private = private(info)
	}
	own := []PackageFile{override}
	if l.release != nil {
		if l.release.Name == overrideName {
			return nil, &Error{Source: fileSource(l.opts.ReleaseFile, 0), Msg: "is the release file, and packages have something else of that name", Hint: "rename it"}
		}
		own = []PackageFile{*l.release, override}
	}
	files = slices.DeleteFunc(files, func(f PackageFile) bool { return f.Name == own[0].Name })
	return append(files, own...), nil
}

// packer collects the files of one package.
type packer struct {
	dir string
	// names are the files that may be packed, sorted.
	names []string
	// secret are files that never are.
	secret []os.FileInfo
	packed map[string]PackageFile
	// texts are still to be searched for names of files: the values of a file
	// of YAML, or another file as a whole.
	texts [][]string
}

func (l *Loaded) newPacker() (*packer, error) {
	secret, err := l.secretFiles()
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(l.opts.Dir)
	if err != nil {
		return nil, err
	}
	p := &packer{dir: dir, secret: secret, packed: map[string]PackageFile{}}
	info, err := os.Stat(dir)
	if os.IsNotExist(err) {
		return p, nil
	}
	if err == nil {
		err = p.list("", []os.FileInfo{info})
	}
	if err != nil {
		return nil, &Error{Source: fileSource(dir, 0), Msg: "cannot be read", Err: err, Hint: "make it readable"}
	}
	return p, nil
}

const overrideName = "override.yaml"

// addEngineFile packs a file that Heron's processes read, in the form that
// adapt gives it. One that they insist on is empty where it is missing.
func (p *packer) addEngineFile(path string, insist bool, adapt func(mapping) (mapping, error)) error {
	name := p.below(path)
	info, err := os.Stat(path)
	switch {
	case name == "":
		return nil
	case err != nil || info.IsDir():
		if insist {
			p.packed[name] = PackageFile{Name: name, Data: emit(nil)}
		}
		return nil
	case !slices.Contains(p.names, name):
		return &Error{
			Source: fileSource(path, 0), Msg: "is hidden, a copy that an editor left, or holds a secret, and Heron's processes read it",
			Hint: "give the file another name",
		}
	}
	return p.addYAML(name, adapt)
}

// add packs a file that another one names.
func (p *packer) add(name string) error {
	if _, done := p.packed[name]; done {
		return nil
	}
	switch filepath.Ext(name) {
	case ".yaml", ".yml":
		return p.addYAML(name, asIs)
	}
	path, data, f, err := p.read(name)
	if err != nil {
		return err
	}
	m, yamlErr := parseYAML(path, data)
	line, what := namesSecret(data)
	clean, _ := withoutSecrets(m).(mapping)
	switch {
	case yamlErr == nil && len(m) > 0 && (line > 0 || !reflect.DeepEqual(m, clean)):
		return p.addYAML(name, asIs)
	case line > 0:
		return &Error{
			Source: fileSource(path, line), Msg: "has " + what + " and is not YAML, so that secrets cannot be taken out of it, but it would go into packages",
			Hint: "take the secret out, or do not name the file in the configuration",
		}
	}
	f.Data = data
	p.packed[name] = f
	p.texts = append(p.texts, []string{string(data)})
	return nil
}

func asIs(m mapping) (mapping, error) { return m, nil }

func (p *packer) addYAML(name string, adapt func(mapping) (mapping, error)) error {
	if _, done := p.packed[name]; done {
		return nil
	}
	path, data, f, err := p.read(name)
	if err != nil {
		return err
	}
	m, err := parseYAML(path, data)
	if err != nil {
		return err
	}
	clean, err := adapt(withoutSecrets(m).(mapping))
	if err != nil {
		return err
	}
	f.Data = emit(slices.DeleteFunc(clean, func(p pair) bool { return p.key == nil }))
	p.packed[name] = f
	p.texts = append(p.texts, engineValues(clean))
	return nil
}

func (p *packer) read(name string) (path string, data []byte, f PackageFile, err error) {
	path = filepath.Join(p.dir, filepath.FromSlash(name))
	data, info, err := readWithInfo(path)
	if err != nil {
		return path, nil, f, &Error{Source: fileSource(path, 0), Msg: "cannot be read", Err: err, Hint: "make it readable, or take it out of the cluster's folder"}
	}
	return path, data, PackageFile{Name: name, Private: private(info)}, nil
}

// addScript packs the start script if it lies in the folder and has no
// secret in it: no container needs it there, for its text is in the job. What
// it names is packed wherever it lies.
func (p *packer) addScript(path string) error {
	data, info, err := readWithInfo(path)
	if err != nil {
		return nil //nolint:nilerr // the caller reads it too, and reports that
	}
	text, msg := plainText(data)
	switch i := bytes.Index(data, []byte("\r\n")); {
	case msg != "":
		return &Error{Source: fileSource(path, lineOf(data)), Msg: msg + ", and no shell runs it", Hint: "save it as UTF-8"}
	case len(text) != len(data):
		return &Error{Source: fileSource(path, 1), Msg: "begins with a byte order mark, and no system takes it for a script", Hint: "save it without the mark"}
	case i >= 0:
		return &Error{Source: fileSource(path, 1+bytes.Count(data[:i], []byte("\n"))), Msg: "has lines that end as on Windows, and a shell takes that end for part of the line", Hint: "save it with line feeds alone"}
	}
	p.texts = append(p.texts, []string{string(data)})
	name := p.below(path)
	if line, _ := namesSecret(data); line == 0 && slices.Contains(p.names, name) {
		p.packed[name] = PackageFile{Name: name, Data: data, Private: private(info)}
	}
	return nil
}

func readWithInfo(path string) ([]byte, fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	data, err := os.ReadFile(path)
	return data, info, err
}

// private says whether others may not read a file.
func private(info fs.FileInfo) bool { return info.Mode()&0o004 == 0 }
