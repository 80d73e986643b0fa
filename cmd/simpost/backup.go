package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

func (a *app) backup() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "write a consistent copy of the running daemon's database",
		Long: `Write a consistent copy of the running daemon's database to FILE, or to standard
output if FILE is "-". FILE must not exist; it appears only when it is whole.`,
		Args: exactly(1, "the name of one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			if args[0] == "-" {
				return c.Backup(ctx, a.out)
			}
			return writeNew(args[0], func(f *os.File) error { return c.Backup(ctx, f) })
		},
	}
}

// writeNew makes a file that is on the disk, whole, or not there at all. The
// file is for its owner only: it holds other people's messages.
func writeNew(name string, fill func(*os.File) error) error {
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return hinted(fmt.Errorf("%s exists", name), "name a new file, or remove it first")
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := fill(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	// Link, unlike rename, refuses to replace a file that came meanwhile.
	return os.Link(f.Name(), name)
}
