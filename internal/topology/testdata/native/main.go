// Command native is the native executable of the tests: it shows its arguments
// and copies the definition in the file that DEFINITION names to where
// HERON_OPTIONS says.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	for _, arg := range os.Args[1:] {
		fmt.Println("arg: " + arg)
	}
	options := strings.ReplaceAll(os.Getenv("HERON_OPTIONS"), "%%%%", " ")
	first, _, _ := strings.Cut(options, ",")
	_, folder, _ := strings.Cut(first, "=")
	from := os.Getenv("DEFINITION")
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, filepath.Base(from)), data, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
