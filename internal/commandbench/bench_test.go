package commandbench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/heron-nomad/heron/internal/testenv"
)

const (
	// binVariable names the program to measure.
	binVariable = "HERON_BIN"
	// rounds is how often each command runs; the table has medians.
	rounds = 5
	// short is how often a command of a few milliseconds runs.
	short = 40
)

// sizes are numbers of containers beside the one of the TManager.
func sizes() []int { return []int{20, 500, 4000} }

// BenchmarkCommands prints one table.
func BenchmarkCommands(b *testing.B) {
	p := build(b)
	for b.Loop() {
		rows := []row{p.version(b)}
		for _, size := range sizes() {
			rows = append(rows, newCluster(b, p, size).measure(b)...)
		}
		rows = append(append(append(rows, waits(b, p)), inspections(b, p)...), follow(b, p))
		b.StopTimer()
		print(rows)
		b.StartTimer()
	}
	b.ReportMetric(0, "ns/op")
}

// row is one command beside the least that it could take.
type row struct {
	command string
	ours    took
	least   took
	// pack is what making the package takes, zero where none is made.
	pack time.Duration
}

func print(rows []row) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Println("\nmedians of", rounds, "runs; least: the bare requests, or a program that prints one line;")
	fmt.Println("ratio: wall time without making the package, next to the least")
	fmt.Fprintln(w, "command\twall ms\tCPU ms\tpeak MB\tleast ms\tCPU ms\tpeak MB\tpackage ms\tratio\t")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%.1f\t%.2f\t\n", r.command, r.ours, r.least, ms(r.pack),
			ms(r.ours.wall-r.pack)/ms(r.least.wall))
	}
	_ = w.Flush()
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// took is what one run of a program took.
type took struct {
	wall, processor time.Duration
	peak            int64 // bytes
}

func (t took) String() string {
	return fmt.Sprintf("%.1f\t%.1f\t%.1f", ms(t.wall), ms(t.processor), float64(t.peak)/1e6)
}

// median takes each figure's by itself.
func median(runs []took) took {
	middle := func(figure func(took) int64) int64 {
		var all []int64
		for _, run := range runs {
			all = append(all, figure(run))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	return took{
		wall:      time.Duration(middle(func(t took) int64 { return int64(t.wall) })),
		processor: time.Duration(middle(func(t took) int64 { return int64(t.processor) })),
		peak:      middle(func(t took) int64 { return t.peak }),
	}
}

// programs are those that are run.
type programs struct{ heron, measure, bare, oneline, core string }

// build makes all of them.
func build(b *testing.B) programs {
	b.Helper()
	dir := b.TempDir()
	p := programs{
		heron: os.Getenv(binVariable), measure: filepath.Join(dir, "measure"), bare: filepath.Join(dir, "bare"),
		oneline: filepath.Join(dir, "oneline"), core: filepath.Join(dir, "heron-core.tar.gz"),
	}
	compile := func(out, of string) []string {
		return []string{"go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, of}
	}
	lines := [][]string{
		compile(p.measure, "./internal/commandbench/measure"),
		compile(p.bare, "./internal/commandbench/bare"),
		compile(p.oneline, "./internal/commandbench/oneline"),
		{"scripts/standin-core", p.core},
	}
	if p.heron == "" {
		p.heron = filepath.Join(dir, "heron")
		lines = append(lines, compile(p.heron, "./cmd/heron"))
	}
	for _, line := range lines {
		cmd := exec.Command(line[0], line[1:]...)
		cmd.Dir = testenv.Root()
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%s: %v\n%s", strings.Join(line, " "), err, out)
		}
	}
	return p
}

// run runs one program and returns what it took.
func (p programs) run(b *testing.B, env []string, argv ...string) took {
	b.Helper()
	report := filepath.Join(b.TempDir(), "report")
	cmd := exec.Command(p.measure, append([]string{report}, argv...)...)
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		b.Fatal(err)
	}
	var wall, processor, kib int64
	if _, err := fmt.Sscan(string(text), &wall, &processor, &kib); err != nil {
		b.Fatalf("report %q: %v", text, err)
	}
	return took{
		wall: time.Duration(wall) * time.Microsecond, processor: time.Duration(processor) * time.Microsecond, peak: kib << 10,
	}
}

// version measures a command that needs no server.
func (p programs) version(b *testing.B) row {
	home := b.TempDir()
	env := []string{"HOME=" + home, "HERON_HOME=" + home, "USER=ann"}
	var ours, least []took
	for range short {
		ours = append(ours, p.run(b, env, p.heron, "version"))
		least = append(least, p.run(b, env, p.oneline))
	}
	return row{command: "version", ours: median(ours), least: median(least)}
}
