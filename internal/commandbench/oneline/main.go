// Command oneline prints one line: the least that a program can take.
package main

import "os"

func main() {
	if _, err := os.Stdout.WriteString("one line\n"); err != nil {
		os.Exit(1)
	}
}
