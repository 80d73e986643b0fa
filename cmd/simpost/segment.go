package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"simpost/daemon/api"
)

func (a *app) segment() *cobra.Command {
	var req api.SegmentRequest
	cmd := &cobra.Command{
		Use:   "segment [TEXT]",
		Short: "show how a text would be sent: alphabet, parts, what would be changed",
		Args:  oneText,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("encoding", req.Encoding, "auto", "gsm7", "ucs2"); err != nil {
				return err
			}
			text, err := a.text(args)
			if err != nil {
				return err
			}
			req.Text = text
			c, err := a.client()
			if err != nil {
				return err
			}
			s, err := c.Segment(cmd.Context(), req)
			if err != nil {
				return err
			}
			return a.printSegments(s)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&req.Encoding, "encoding", "", "`auto|gsm7|ucs2`")
	flags.StringVar(&req.Language, "language", "", "national `language` table to use, such as turkish")
	flags.BoolVar(&req.Transliterate, "transliterate", false, "replace what GSM 7-bit lacks by what looks like it")
	completions(cmd, "encoding", "auto", "gsm7", "ucs2")
	return cmd
}

func (a *app) printSegments(s api.Segments) error {
	if a.json {
		return a.printJSON(s)
	}
	fmt.Fprintf(a.out, "%s, %s\n", s.Encoding, plural(len(s.Parts), "part"))
	if len(s.Missing) > 0 {
		fmt.Fprintf(a.out, "not in GSM 7-bit: %s\n", clean(strings.Join(s.Missing, " ")))
	}
	for _, c := range s.Changed {
		fmt.Fprintf(a.out, "changed: %s to %s, %s\n", clean(c.From), clean(c.To), plural(c.Count, "time"))
	}
	var rows [][]string
	for _, p := range s.Parts {
		rows = append(rows, []string{strconv.Itoa(p.Seq), strconv.Itoa(p.Used), strconv.Itoa(p.Left), clean(p.Text)})
	}
	return table(a.out, "PART USED LEFT TEXT", rows)
}
