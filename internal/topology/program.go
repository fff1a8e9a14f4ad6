package topology

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/heron-nomad/heron/internal/heronpb"
)

// Program is the user's program that defines topologies, and how to run it.
type Program struct {
	// File is the topology file as the user typed it. Class is its main class;
	// "-" runs a pex by itself; with a shared library it is the path of the
	// program that writes the definition; an executable ignores it. Args are
	// the program's, untouched.
	File, Class string
	Args        []string
	// JVMProperties are name=value each, for Java only.
	JVMProperties []string
	// HeronHome is the installation whose lib/third_party jars a Java program
	// gets on its class path.
	HeronHome string
	Identity  Identity
	// InitialState is RUNNING unless set; PAUSED holds whatever the program
	// itself writes.
	InitialState heronpb.TopologyState
	// Stdout and Stderr get the program's output as it comes; nil discards
	// it. There is no input.
	Stdout, Stderr io.Writer
	// Variables are the environment variables to pass on, name=value each; see
	// SecretVariables for those that the program does not get.
	Variables []string
	// TempDir is where the run's folder is made; "" for the system's.
	TempDir string
}

// Result is what a run of a program left. Close it when the definitions'
// files are no longer needed.
type Result struct {
	// Found is sorted by name and not empty.
	Found []*Found
	dir   string
}

// Close removes the files of the run. It may be called more than once.
func (r *Result) Close() error {
	if err := os.RemoveAll(r.dir); err != nil {
		return fmt.Errorf("remove temporary folder %s: %w", r.dir, err)
	}
	return nil
}

// Check says what can be known to be wrong before anything is run: an
// *InputError.
func (p *Program) Check() error {
	_, err := p.check()
	return err
}

func (p *Program) check() (kind, error) {
	if err := checkFile(p.File); err != nil {
		return 0, err
	}
	kind, err := kindOf(p.File)
	if err != nil {
		return 0, err
	}
	var runs string
	switch kind {
	case kindJar, kindTar:
		if p.Class == "" || strings.HasPrefix(p.Class, "-") {
			return 0, inputError(nil, "%q is not the name of a class: give the main class of %s", p.Class, p.File)
		}
		// A tar's own jar lies in a folder that is checked when it is made.
		own := []string{p.File}
		if kind == kindTar {
			own = nil
		}
		_, err = p.javaCommand(own...)
	case kindPex:
		if p.Class == directClass {
			runs = p.File
		} else if module, name, ok := cutLast(p.Class, "."); !ok || module == "" || name == "" {
			return 0, inputError(nil, "%q is not a class of %s: give it as module.Class, or - for a file that runs by itself", p.Class, p.File)
		}
	case kindLibrary:
		runs = p.Class
	case kindNative:
		runs = p.File
	}
	if err == nil && runs != "" && !isExecutable(runs) {
		return 0, inputError(nil, "%q, which is to write the topology definition, is not an executable file: check the path, and its mode with chmod +x", runs)
	}
	if err == nil {
		_, err = p.options(kind, "")
	}
	return kind, err
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// Run runs the program in a fresh temporary folder and reads the definitions
// that it writes. It does not validate them.
//
// Bad input is an *InputError, a program that fails or writes nothing usable
// a *ProgramError. When ctx ends the program is stopped and waited for, and
// the error is that of ctx; a cause of ctx with a method Signal() os.Signal
// chooses the signal. After an error nothing is left of the run.
func (p *Program) Run(ctx context.Context) (*Result, error) {
	return p.run(ctx, &process{stdout: p.Stdout, stderr: p.Stderr, stopGrace: stopGrace})
}

func (p *Program) run(ctx context.Context, proc *process) (_ *Result, err error) {
	kind, err := p.check()
	if err != nil {
		return nil, err
	}
	dir, err := p.folder()
	if err != nil {
		return nil, err
	}
	result := &Result{dir: dir}
	defer func() {
		if err == nil {
			return
		}
		if closeErr := result.Close(); closeErr != nil {
			err = errors.Join(err, closeErr)
		}
	}()
	options, err := p.options(kind, dir)
	if err != nil {
		return nil, err
	}
	proc.command, err = p.command(ctx, kind, dir)
	if err != nil {
		return nil, err
	}
	if kind == kindJar || kind == kindTar {
		proc.hint, proc.texts = p.missingClasses()
	}
	proc.variables = slices.Concat(programVariables(p.Variables, joinOptions(options)), proc.command.variables)
	if err := proc.run(ctx); err != nil {
		return nil, err
	}
	result.Found, err = readFolder(dir)
	if err != nil {
		return nil, &ProgramError{Command: proc.command.shown, Reason: err.Error(), Err: err}
	}
	if p.InitialState == heronpb.TopologyState_PAUSED {
		for _, f := range result.Found {
			f.Definition = f.Definition.WithState(heronpb.TopologyState_PAUSED)
		}
	}
	return result, nil
}

// folder makes the folder of one run, for nobody else to read. Its path must
// survive the way to the program.
func (p *Program) folder() (string, error) {
	parent := p.TempDir
	if parent == "" {
		parent = os.TempDir()
	}
	parent, err := filepath.Abs(parent)
	if err != nil {
		return "", fmt.Errorf("find the temporary folder: %w", err)
	}
	if !fitsOption(parent) || strings.Contains(parent, ":") {
		return "", inputError(nil, "the temporary folder %q has a comma, an equals sign or a colon in its path, which a topology's program cannot be told: set TMPDIR to another", parent)
	}
	dir, err := os.MkdirTemp(parent, "heron-")
	if err != nil {
		return "", fmt.Errorf("make a temporary folder: %w", err)
	}
	return dir, nil
}
