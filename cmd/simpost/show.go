package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"simpost/daemon/api"
)

func (a *app) show() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "show one message with its parts, attempts and reports",
		Args:  exactly(1, "the id of one message"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			m, err := c.Get(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.printMessage(m)
		},
	}
}

// printMessage prints all that is known of a message.
func (a *app) printMessage(m api.Message) error {
	if a.json {
		return a.printJSON(m)
	}
	fmt.Fprintf(a.out, "message %s: %s%s%s\n", m.ID, m.State, duplicateNote(m), because(m))
	err := fields(a.out,
		"  to", clean(m.To),
		"  from", clean(m.From),
		"  created", when(m.CreatedAt, time.Now()),
		"  not before", whenSet(m.NotBefore),
		"  expires", whenSet(m.Expires),
		sentLabel(m), whenSet(m.SentAt),
		"  modem", clean(m.Modem),
		"  encoding", m.Encoding+className(m.Class),
		"  port", number(m.Port),
		"  priority", string(m.Priority),
		"  if unknown", string(m.OnUnknown),
		"  repeat of", m.RepeatOf,
		"  read with", strings.Join(m.Flags, ", "),
	)
	if err != nil {
		return err
	}
	if m.Incomplete {
		fmt.Fprintln(a.out, "  parts are missing")
	}
	a.printBody(m)
	return a.printHistory(m)
}

func (a *app) printBody(m api.Message) {
	switch {
	case m.Text != nil:
		fmt.Fprintf(a.out, "\n%s\n", indented(*m.Text, "    "))
	case len(m.Data) > 0:
		fmt.Fprintf(a.out, "\n    %x\n", m.Data)
	}
}

// printHistory prints parts, attempts and reports, each as a table.
func (a *app) printHistory(m api.Message) error {
	if m.Direction == api.In && len(m.Parts) <= 1 {
		return nil
	}
	var parts, attempts, reports [][]string
	for _, p := range m.Parts {
		parts = append(parts, []string{strconv.Itoa(p.Seq), string(p.State), number(p.MR), clean(p.Modem), strconv.Itoa(p.Attempts), string(p.Report)})
	}
	for _, t := range m.Attempts {
		attempts = append(attempts, []string{strconv.Itoa(t.Part), t.StartedAt.Local().Format("15:04:05"), string(t.State), number(t.MR), clean(t.Modem), attemptNote(t)})
	}
	for _, r := range m.Reports {
		reports = append(reports, []string{strconv.Itoa(r.Part), r.ReceivedAt.Local().Format("15:04:05"), strconv.Itoa(r.MR), fmt.Sprintf("0x%02X", r.Status), clean(r.StatusText)})
	}
	return a.tables(
		"PART STATE REF MODEM TRIES REPORT", parts,
		"ATTEMPT STARTED STATE REF MODEM WHY", attempts,
		"REPORT CAME REF STATUS MEANING", reports)
}

// tables prints pairs of heading and rows, each after an empty line.
func (a *app) tables(pairs ...any) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		rows := pairs[i+1].([][]string)
		if len(rows) == 0 {
			continue
		}
		fmt.Fprintln(a.out)
		if err := table(a.out, pairs[i].(string), rows); err != nil {
			return err
		}
	}
	return nil
}

// attemptNote says why an attempt was made and what settled it.
func attemptNote(t api.Attempt) string {
	var notes []string
	for _, s := range []string{t.Reason, t.Evidence} {
		if s != "" {
			notes = append(notes, clean(s))
		}
	}
	if t.Error != nil {
		notes = append(notes, clean(t.Error.Message))
	}
	return strings.Join(notes, "; ")
}

func sentLabel(m api.Message) string {
	if m.Direction == api.In {
		return "  sent (by the network's clock)"
	}
	return "  sent"
}

func whenSet(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return when(*t, time.Now())
}

func number(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

func className(class *int) string {
	switch {
	case class == nil:
		return ""
	case *class == 0:
		return ", class 0 (flash)"
	}
	return fmt.Sprintf(", class %d", *class)
}
