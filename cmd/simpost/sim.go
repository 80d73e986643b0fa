package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"simpost/daemon/api"
)

func (a *app) sim() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "look after a SIM card: its PIN, service centre, operator and phonebook",
		Args:  cobra.ArbitraryArgs,
		RunE:  a.group,
	}
	cmd.AddCommand(a.simShow(), a.simSMSC(), a.simOperators(), a.simOperator(), a.simPhonebook())
	return cmd
}

func (a *app) simShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show MODEM",
		Short: "ask the SIM card how it is",
		Args:  exactly(1, "the name of a modem"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			sim, err := c.SIM(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(sim)
			}
			return a.printSIM(sim)
		},
	}
}

func (a *app) printSIM(s api.SIM) error {
	fmt.Fprintf(a.out, "SIM card in %s: %s\n", clean(s.Modem), clean(s.State))
	return fields(a.out,
		"  ICCID", clean(s.ICCID),
		"  IMSI", clean(s.IMSI),
		"  number", clean(s.Number),
		"  service centre", clean(s.SMSC),
		"  PIN", pinWords(s),
		"  network", clean(strings.TrimSpace(s.Operator+" "+s.Network)),
		"  operator choice", s.Choice,
		"  messages", memories(s.Memories),
		"  phonebooks", memories(s.Books),
	)
}

// pinWords tells whether the card asks for its PIN, and the tries that are left.
func pinWords(s api.SIM) string {
	var words []string
	if s.PINAsked != nil {
		words = append(words, map[bool]string{true: "asked for", false: "not asked for"}[*s.PINAsked])
	}
	if s.PINTries != nil {
		words = append(words, tries(*s.PINTries)+" left")
	}
	if s.PUKTries != nil {
		words = append(words, tries(*s.PUKTries)+" of the PUK left")
	}
	return strings.Join(words, ", ")
}

func tries(n int) string {
	if n == 1 {
		return "1 try"
	}
	return fmt.Sprintf("%d tries", n)
}

func (a *app) simSMSC() *cobra.Command {
	return &cobra.Command{
		Use:     "smsc MODEM NUMBER",
		Short:   "write the service centre's number to the SIM card (role admin)",
		Example: "  simpost sim smsc office +4790000000",
		Args:    exactly(2, "a modem and a number"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			if err := c.SetSMSC(cmd.Context(), args[0], args[1]); err != nil {
				return err
			}
			return a.said("the service centre is written")
		},
	}
}

func (a *app) simOperators() *cobra.Command {
	return &cobra.Command{
		Use:   "operators MODEM",
		Short: "list the networks that are here; takes up to three minutes (role admin)",
		Args:  exactly(1, "the name of a modem"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			fmt.Fprintln(a.err, "simpost: looking around; the modem does nothing else meanwhile")
			list, err := c.Operators(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(api.Operators{State: api.SlowDone, Operators: list})
			}
			var rows [][]string
			for _, o := range list {
				rows = append(rows, []string{clean(o.Code), short(o.Name, 24), clean(o.State), clean(o.Access)})
			}
			return table(a.out, "CODE NAME STATE ACCESS", rows)
		},
	}
}

func (a *app) simOperator() *cobra.Command {
	return &cobra.Command{
		Use:   "operator MODEM CODE|auto",
		Short: "choose an operator, or leave it to the modem (role admin)",
		Long: `Bind a modem to an operator by its country and network code, or leave the choice to
the modem (auto). An operator that does not take the card is given up, and the modem
chooses again. Modems remember the choice; operator in the configuration makes it
anew at every start.`,
		Example: "  simpost sim operator office 24201\n  simpost sim operator office auto",
		Args:    exactly(2, "a modem and an operator"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			if err := c.SetOperator(cmd.Context(), args[0], args[1]); err != nil {
				return err
			}
			return a.said("the operator is chosen")
		},
	}
}

// said tells that something was done, where nothing else is printed.
func (a *app) said(what string) error {
	if a.json {
		return a.printJSON(struct {
			Done bool `json:"done"`
		}{true})
	}
	_, err := fmt.Fprintln(a.out, what)
	return err
}

func (a *app) simPhonebook() *cobra.Command {
	var vcard, asCSV bool
	cmd := &cobra.Command{
		Use:   "phonebook MODEM",
		Short: "read the phonebooks of a SIM card and its modem (role read-content)",
		Example: `  simpost sim phonebook office --vcard >people.vcf
  simpost sim phonebook office --csv >people.csv`,
		Args: exactly(1, "the name of a modem"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if vcard && asCSV || a.json && (vcard || asCSV) {
				return usagef("one of --vcard, --csv and --json")
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			book, err := c.Phonebook(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			switch {
			case a.json:
				return a.printJSON(book)
			case vcard:
				return writeVCards(a.out, book.Contacts)
			case asCSV:
				return writeCSV(a.out, book.Contacts)
			}
			var rows [][]string
			for _, p := range book.Contacts {
				rows = append(rows, []string{clean(p.Number), clean(p.Name), clean(p.Book)})
			}
			return table(a.out, "NUMBER NAME BOOK", rows)
		},
	}
	cmd.Flags().BoolVar(&vcard, "vcard", false, "as vCards, which phones and mail programs read")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "as a table for spreadsheets: name, number, book, index")
	return cmd
}

func writeCSV(w io.Writer, people []api.Contact) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"name", "number", "book", "index"}}
	for _, p := range people {
		rows = append(rows, []string{p.Name, p.Number, p.Book, fmt.Sprint(p.Index)})
	}
	return out.WriteAll(rows)
}

// vText escapes what RFC 2426 4 gives a meaning to; a control character has none.
var vText = strings.NewReplacer(`\`, `\\`, ",", `\,`, ";", `\;`, "\n", `\n`, "\r", "")

// writeVCards writes version 3.0 (RFC 2426), which old phones read too. Lines are not folded: a name on a SIM is short.
func writeVCards(w io.Writer, people []api.Contact) error {
	for _, p := range people {
		name := p.Name
		if name == "" {
			name = p.Number
		}
		if _, err := fmt.Fprintf(w, "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:%s\r\nN:%s;;;;\r\nTEL;TYPE=CELL:%s\r\nEND:VCARD\r\n",
			vText.Replace(name), vText.Replace(name), vText.Replace(p.Number)); err != nil {
			return err
		}
	}
	return nil
}
