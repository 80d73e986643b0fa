package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"simpost/configs"
)

// man prints the manual pages, made of the same texts as --help and the reference
// configuration, for the packages to install.
func (a *app) man() *cobra.Command {
	return &cobra.Command{
		Use:    "man simpost|simpost.toml",
		Short:  "print a manual page",
		Hidden: true,
		Args:   exactly(1, "simpost or simpost.toml"),
		RunE: func(cmd *cobra.Command, args []string) error {
			w := bufio.NewWriter(a.out)
			page := page{w}
			switch args[0] {
			case "simpost":
				page.program(cmd.Root())
			case "simpost.toml":
				page.configuration()
			default:
				return usagef("there is no page %q, only simpost and simpost.toml", args[0])
			}
			return w.Flush()
		},
	}
}

// page writes man(7); a failed write shows at the Flush.
type page struct{ w io.Writer }

func (p page) program(root *cobra.Command) {
	p.title("SIMPOST", 1, "simpost", root.Short)
	p.macro("SH SYNOPSIS")
	p.line("\\fBsimpost\\fR \\fICOMMAND\\fR [\\fIARGUMENT\\fR...]")
	p.macro("SH DESCRIPTION")
	p.prose(root.Long)
	p.macro("SH OPTIONS")
	p.flags(root.PersistentFlags())
	p.macro("SH COMMANDS")
	p.commands(root)
	p.macro("SH EXIT STATUS")
	p.prose(exitStatuses)
	p.macro("SH FILES")
	for _, f := range [][2]string{
		{configs.DefaultPath, "the configuration of the daemon, see simpost.toml(5)"},
		{configs.Default().Database, "the messages"},
		{configs.Default().API.Socket, "the socket of the daemon"},
	} {
		p.macro("TP")
		p.line(f[0])
		p.line(f[1])
	}
	p.macro("SH SEE ALSO")
	p.line(`.BR simpost.toml (5)`)
}

const exitStatuses = `0: it is done. 1: it was refused, it failed, or it was not done when the waiting ended. 2: the command line is wrong.

3 is no failure: nobody can say yet whether a message was sent. A script must not send it again.`

// commands writes what each command under c does, depth first.
func (p page) commands(c *cobra.Command) {
	for _, sub := range c.Commands() {
		if sub.Hidden || sub.Name() == "help" || sub.Name() == "completion" {
			continue
		}
		if sub.HasSubCommands() {
			p.commands(sub)
			continue
		}
		p.macro("SS " + roff(strings.TrimSuffix(sub.UseLine(), " [flags]")))
		text := sub.Long
		if text == "" {
			text = strings.ToUpper(sub.Short[:1]) + sub.Short[1:] + "."
		}
		p.prose(text)
		p.flags(sub.LocalNonPersistentFlags())
		if sub.Example != "" {
			p.literal(sub.Example)
		}
	}
}

// flags writes a list of flags, without --help, which every command has.
func (p page) flags(set *pflag.FlagSet) {
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		if value != "" {
			value = ` \fI` + roff(value) + `\fR`
		}
		p.macro("TP")
		p.line(`\fB\-\-` + roff(f.Name) + `\fR` + value)
		p.prose(usage)
	})
}

func (p page) configuration() {
	p.title("SIMPOST.TOML", 5, "simpost.toml", "configuration of the SMS daemon simpost")
	p.macro("SH DESCRIPTION")
	p.prose(configs.DefaultPath + " configures \"simpost serve\". This is the reference: every setting, its default, and what it means. A file needs only what differs, and the modems.")
	p.literal(configs.Reference)
	p.macro("SH SEE ALSO")
	p.line(`.BR simpost (1)`)
}

func (p page) title(name string, section int, is, what string) {
	p.macro(fmt.Sprintf(`TH %s %d "" simpost`, name, section))
	p.macro("SH NAME")
	p.line(is + ` \- ` + roff(what))
}

// prose writes paragraphs, which a blank line ends.
func (p page) prose(text string) {
	for i, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			p.macro("PP")
		}
		for _, line := range strings.Split(paragraph, "\n") {
			p.line(roff(line))
		}
	}
}

// literal writes lines as they are.
func (p page) literal(text string) {
	p.macro("PP")
	p.macro("EX")
	for _, line := range strings.Split(strings.Trim(text, "\n"), "\n") {
		p.line(roff(line))
	}
	p.macro("EE")
}

func (p page) macro(m string) { fmt.Fprintf(p.w, ".%s\n", m) }

func (p page) line(s string) { fmt.Fprintln(p.w, s) }

// roff escapes what troff would take for its own: a backslash, a dash that is to
// stay one, and a full stop or quote at the beginning of a line.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "^", `\(ha`, "~", `\(ti`, "`", `\(ga`).Replace(s)
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}
