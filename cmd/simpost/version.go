package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Version is set by the linker (-X main.Version=v1.2.3) in releases.
var Version string

// build says which program this is.
type build struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go"`
}

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version",
		Args:  exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			b := buildInfo()
			if a.json {
				return a.printJSON(b)
			}
			line := "simpost " + b.Version
			if b.Commit != "" {
				line += " (" + b.Commit + ")"
			}
			_, err := fmt.Fprintf(a.out, "%s %s\n", line, b.Go)
			return err
		},
	}
}

func buildInfo() build {
	b := build{Version: Version, Go: runtime.Version()}
	if b.Version == "" {
		b.Version = "devel"
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			b.Commit = s.Value[:12]
		}
	}
	return b
}
