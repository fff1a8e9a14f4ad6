// Command heron-executor is the one binary of the stand-in core: executor,
// TManager and downloader by the name it is called under. See
// internal/standin.
package main

import (
	"os"

	"github.com/heron-nomad/heron/internal/standin"
)

func main() {
	os.Exit(standin.Main(os.Args, os.Stdout))
}
