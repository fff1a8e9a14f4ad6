package topology

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// directClass in place of a class says that the file runs by itself.
const directClass = "-"

// command is one program to start: its words, how to show them, and the
// environment variables that it gets in addition.
type command struct {
	args      []string
	shown     string
	variables []string
}

// newCommand shows the words up to the user's own; those and the values of
// properties may hold secrets.
func newCommand(args []string, own int) *command {
	shown := make([]string, 0, len(args))
	for _, a := range args[:len(args)-own] {
		if name, _, ok := strings.Cut(a, "="); ok && strings.HasPrefix(a, "-D") {
			a = name + "=…"
		}
		shown = append(shown, a)
	}
	c := &command{args: args, shown: strings.Join(shown, " ")}
	switch own {
	case 0:
	case 1:
		c.shown += " (and 1 argument)"
	default:
		c.shown += fmt.Sprintf(" (and %d arguments)", own)
	}
	return c
}

// command builds what is to be run; scratch is a fresh folder of the run.
func (p *Program) command(ctx context.Context, kind kind, scratch string) (*command, error) {
	switch kind {
	case kindJar:
		return p.javaCommand(p.File)
	case kindTar:
		dir, err := os.MkdirTemp(scratch, "tmp")
		if err != nil {
			return nil, fmt.Errorf("make a folder for the content of %s: %w", p.File, err)
		}
		if err := extract(ctx, p.File, dir); err != nil {
			return nil, err
		}
		stem := strings.ReplaceAll(strings.ReplaceAll(filepath.Base(p.File), ".tar.gz", ""), ".tar", "")
		return p.javaCommand(filepath.Join(dir, stem+".jar"), dir+"/*", dir+"/libs/*")
	case kindPex:
		if p.Class != directClass {
			return p.pexClassCommand()
		}
		return p.directCommand(p.File)
	case kindLibrary:
		return p.directCommand(p.Class)
	default:
		return p.directCommand(p.File)
	}
}

func (p *Program) javaCommand(classpath ...string) (*command, error) {
	java, err := p.java()
	if err != nil {
		return nil, err
	}
	for _, entry := range classpath {
		if strings.Contains(entry, ":") {
			return nil, inputError(nil, "%q cannot be on a class path, since it has a colon: rename it or move it", entry)
		}
	}
	if strings.Contains(p.HeronHome, ":") {
		return nil, inputError(nil, "Heron's home %q has a colon, at which Java splits class paths: move it, or set HERON_HOME to a folder without one", p.HeronHome)
	}
	classpath = append(classpath, p.HeronHome+"/lib/third_party/*")
	args := []string{java, "-client", "-Xmx1g"}
	for _, property := range p.JVMProperties {
		args = append(args, "-D"+property)
	}
	args = append(args, "-cp", strings.Join(classpath, ":"), p.Class)
	return newCommand(append(args, p.Args...), len(p.Args)), nil
}

// missingClasses explains a Java program that does not find classes where
// Heron's home has no jars to find them in: a hint, and what the program's
// output then has.
func (p *Program) missingClasses() (hint string, texts []string) {
	jars, err := filepath.Glob(filepath.Join(p.HeronHome, "lib", "third_party", "*.jar"))
	if err != nil || len(jars) > 0 {
		return "", nil
	}
	hint = fmt.Sprintf("there are no jars in %s, where programs find Heron's API: "+
		"put those of heron-core's lib/third_party there, or build the topology as a fat jar",
		filepath.Join(p.HeronHome, "lib", "third_party"))
	return hint, []string{"NoClassDefFoundError", "ClassNotFoundException"}
}

// Java finds the java that runs a Java program.
func (p *Program) Java() (string, error) { return p.java() }

// Python finds the Python that runs a pex: the one that the file names, else
// python3 on PATH.
func (p *Program) Python() (string, error) {
	words := interpreter(p.File)
	if filepath.Base(words[0]) == "env" && len(words) > 1 {
		words = words[1:]
	}
	if path := p.lookPath(words[0]); path != "" {
		return path, nil
	}
	return "", inputError(nil, "cannot find %s: install it, or give a definition file that the program wrote earlier", words[0])
}

// java is $JAVA_BIN, else $JAVA_HOME/bin/java, else java on PATH.
func (p *Program) java() (string, error) {
	if bin := getenv(p.Variables, "JAVA_BIN"); bin != "" {
		if path := p.lookPath(bin); path != "" {
			return path, nil
		}
		return "", inputError(nil, "cannot run java: JAVA_BIN is %q, which is not an executable file: set it to the path of java or unset it", bin)
	}
	if home := getenv(p.Variables, "JAVA_HOME"); home != "" {
		bin := filepath.Join(home, "bin", "java")
		if isExecutable(bin) {
			return bin, nil
		}
		return "", inputError(nil, "cannot run java: JAVA_HOME is %q, and %s is not an executable file: set it to a Java installation or unset it", home, bin)
	}
	if path := p.lookPath("java"); path != "" {
		return path, nil
	}
	return "", inputError(nil, "cannot find java: install a JDK, set JAVA_HOME or JAVA_BIN, or give a definition file that the program wrote earlier")
}

// lookPath finds a program in the PATH that it will have; "" if there is none.
func (p *Program) lookPath(name string) string {
	if strings.Contains(name, "/") {
		if isExecutable(name) {
			return name
		}
		return ""
	}
	for _, dir := range filepath.SplitList(getenv(p.Variables, "PATH")) {
		if path := filepath.Join(dir, name); filepath.IsAbs(dir) && isExecutable(path) {
			return path
		}
	}
	return ""
}

// directCommand runs a file itself, never one of that name on PATH.
func (p *Program) directCommand(file string) (*command, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("find the folder of %s: %w", file, err)
	}
	return newCommand(append([]string{path}, p.Args...), len(p.Args)), nil
}

// writeClass imports a class of a Python topology and has it write its
// definition; the class's name comes with the environment, so that the words
// of the command line are the topology's.
const writeClass = `import importlib, os, sys
path = os.environ.pop("HERON_PEX_PATH", "")
if path:
    sys.path.insert(0, path)
module, _, name = os.environ.pop("HERON_PEX_CLASS").rpartition(".")
getattr(importlib.import_module(module), name).write()
`

func (p *Program) pexClassCommand() (*command, error) {
	path, err := filepath.Abs(p.File)
	if err != nil {
		return nil, fmt.Errorf("find the folder of %s: %w", p.File, err)
	}
	words := interpreter(path)
	python := p.lookPath(words[0])
	if python == "" {
		return nil, inputError(nil, "cannot run %s: there is no %s: install it, or change the file's first line", p.File, words[0])
	}
	args := append([]string{python}, words[1:]...)
	variables := []string{"HERON_PEX_CLASS=" + p.Class}
	if hasPexInfo(path) {
		args = append(args, path)
		variables = append(variables, "PEX_INTERPRETER=1")
	} else {
		variables = append(variables, "HERON_PEX_PATH="+path)
	}
	args = append(args, "-c", writeClass)
	c := newCommand(append(args, p.Args...), len(p.Args))
	c.shown = fmt.Sprintf("%s (class %s)", p.File, p.Class)
	c.variables = variables
	return c, nil
}
