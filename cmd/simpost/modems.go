package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"simpost/daemon/api"
)

func (a *app) modems() *cobra.Command {
	return &cobra.Command{
		Use:   "modems [NAME]",
		Short: "show the modems and how they are",
		Args:  between(0, 1, "the name of one modem, or nothing"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				m, err := c.Modem(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return a.printModem(m)
			}
			if a.json {
				list, err := c.Modems(cmd.Context())
				if err != nil {
					return err
				}
				return a.printJSON(api.Modems{Modems: list})
			}
			st, err := c.Status(cmd.Context())
			if err != nil {
				return err
			}
			return a.printModems(st)
		},
	}
}

// printModems begins with what is wrong with the daemon itself.
func (a *app) printModems(st api.Status) error {
	if st.Condition != nil {
		fmt.Fprintf(a.out, "the daemon: %s\n\n", clean(st.Condition.Message))
	}
	list := st.Modems
	if len(list) == 0 {
		fmt.Fprintln(a.err, "simpost: no modem is configured")
		return nil
	}
	var rows [][]string
	for _, m := range list {
		rows = append(rows, []string{clean(m.Name), short(cmp.Or(m.Port, m.Device), 24), yesNo(m.CanSend), short(m.Operator, 16), decibels(m.Signal), string(m.Condition.Code)})
	}
	if err := table(a.out, "NAME DEVICE SENDS OPERATOR SIGNAL CONDITION", rows); err != nil {
		return err
	}
	for _, m := range list {
		if !m.CanSend && m.Condition.Sentence != "" {
			fmt.Fprintf(a.out, "\n%s: %s\n", clean(m.Name), clean(m.Condition.Sentence))
			if m.Condition.Remedy != "" {
				fmt.Fprintf(a.out, "  %s\n", clean(m.Condition.Remedy))
			}
		}
		if beside := besideCondition(m); len(beside) > 0 {
			fmt.Fprintf(a.out, "\n%s:\n", clean(m.Name))
			a.printDiagnoses(beside, "  ")
		}
		if m.Warning != nil {
			fmt.Fprintf(a.out, "\n%s: warning: %s\n", clean(m.Name), clean(m.Warning.Message))
		}
	}
	return nil
}

// besideCondition is what a diagnosis found that the condition does not say.
func besideCondition(m api.Modem) []api.Diagnosis {
	return slices.DeleteFunc(slices.Clone(m.Diagnosis), func(d api.Diagnosis) bool { return d.Code == m.Condition.Code })
}

func (a *app) printModem(m api.Modem) error {
	if a.json {
		return a.printJSON(m)
	}
	fmt.Fprintf(a.out, "modem %s: %s\n", clean(m.Name), clean(m.Condition.Sentence))
	if m.Condition.Remedy != "" {
		fmt.Fprintf(a.out, "  %s\n", clean(m.Condition.Remedy))
	}
	a.printDiagnoses(besideCondition(m), "  ")
	return fields(a.out,
		"  condition", string(m.Condition.Code)+" since "+when(m.Condition.Since, time.Now()),
		"  device", device(m),
		"  sends", yesNo(m.CanSend),
		"  model", clean(strings.TrimSpace(m.Manufacturer+" "+m.Model+" "+m.Revision)),
		"  profile", m.Profile,
		"  IMEI", clean(m.IMEI),
		"  IMSI", clean(m.IMSI),
		"  ICCID", clean(m.ICCID),
		"  number", clean(m.Number),
		"  service centre", clean(m.SMSC),
		"  network", clean(strings.TrimSpace(m.Operator+" "+m.Registration)),
		"  operator choice", m.OperatorChoice,
		"  signal", strings.TrimSpace(decibels(m.Signal)+" "+clean(m.Bearer)),
		"  new messages", clean(m.Indications),
		"  memories", memories(m.Memories),
		"  balance", balance(m.Balance),
		"  last answer", whenSet(m.LastAnswer),
		"  waiting parts", fmt.Sprint(m.Waiting),
		"  since start", fmt.Sprintf("%s sent, %d received", plural(int(m.SentParts), "part"), m.ReceivedPDU),
		"  home", strings.Join(m.Home, " "),
		"  warning", reason(m.Warning),
		"  recovery", recovery(m),
		"  last error", reason(m.LastError),
	)
}

// reason is the sentence, "" without one.
func reason(r *api.Reason) string {
	if r == nil {
		return ""
	}
	return clean(r.Message)
}

// recovery is the step that is being taken about a modem that does not answer, and
// how often each was.
func recovery(m api.Modem) string {
	var all []string
	if m.Recovery != nil {
		all = append(all, m.Recovery.String()+" now")
	}
	for _, step := range slices.Sorted(maps.Keys(m.Recoveries)) {
		all = append(all, fmt.Sprintf("%s %d since start", step, m.Recoveries[step]))
	}
	return strings.Join(all, ", ")
}

// device is what the configuration says, and where that is now.
func device(m api.Modem) string {
	if m.Port == "" || m.Port == m.Device {
		return clean(m.Device)
	}
	return clean(m.Device) + ", now " + clean(m.Port)
}

func memories(list []api.Memory) string {
	var all []string
	for _, m := range list {
		all = append(all, fmt.Sprintf("%s %d of %d", clean(m.Name), m.Used, m.Total))
	}
	return strings.Join(all, ", ")
}

// balance is what the operator said, and the amount in it.
func balance(b *api.Balance) string {
	if b == nil {
		return ""
	}
	text := clean(b.Text)
	if b.Amount != nil {
		text = fmt.Sprintf("%.2f (%s)", *b.Amount, text)
	}
	if b.Low {
		text = "LOW: " + text
	}
	return text + ", " + when(b.At, time.Now())
}

func decibels(dbm *int) string {
	if dbm == nil {
		return ""
	}
	return fmt.Sprintf("%d dBm", *dbm)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
