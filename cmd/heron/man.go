package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manDoc is what man prints as JSON.
type manDoc struct {
	Folder string   `json:"folder"`
	Pages  []string `json:"pages"`
}

// manCommand writes the man pages. It is hidden: "make install" calls it.
func (a *app) manCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "man folder",
		Short:   "Write the man pages into a folder",
		Long:    `Write a man page for each command into a folder, which is made where it is missing.`,
		Example: `  heron man ~/.local/share/man/man1`,
		Args:    args(1, "a folder"),
		Hidden:  true,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, words []string) error {
			if err := a.checkOutput(); err != nil {
				return err
			}
			pages, err := manPages(cmd.Root(), words[0])
			if err != nil {
				return err
			}
			a.changed = true
			if a.asJSON() {
				a.printJSON(manDoc{words[0], pages})
				return nil
			}
			fmt.Fprintf(a.stdout, "%s: %s\n", words[0], count(len(pages), "man page"))
			return nil
		},
	}
	a.outputFlag(cmd)
	return cmd
}

// manPages writes a page for each command and returns the names of the files.
func manPages(root *cobra.Command, folder string) ([]string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // others read it
		return nil, err
	}
	root.DisableAutoGenTag = true // the same program has the same pages on any day
	sec, _ := strconv.ParseInt(committed, 10, 64)
	at := time.Unix(sec, 0).UTC()
	err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "heron " + version, Manual: "heron", Date: &at}, folder)
	if err != nil {
		return nil, fmt.Errorf("write the man pages: %w", err)
	}
	var pages []string
	found, err := filepath.Glob(filepath.Join(folder, "heron*.1"))
	for _, page := range found {
		if err := addExitStatus(page); err != nil {
			return nil, err
		}
		pages = append(pages, filepath.Base(page))
	}
	slices.Sort(pages)
	return pages, err
}

// addExitStatus adds the section about exit codes, which the library has no
// place for, before the last one.
func addExitStatus(page string) error {
	const last = "\n.SH SEE ALSO\n"
	text, err := os.ReadFile(page) //nolint:gosec // it was made here
	if err != nil {
		return err
	}
	var section strings.Builder
	section.WriteString("\n.SH EXIT STATUS\n")
	for _, s := range exitCodes() {
		fmt.Fprintf(&section, ".TP\n\\fB%d\\fP\n%s\n", s.Code, strings.ReplaceAll(s.Meaning, "-", "\\-"))
	}
	whole := strings.Replace(string(text), last, section.String()+last, 1)
	return os.WriteFile(page, []byte(whole), 0o644) //nolint:gosec // others read it
}
