package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"simpost/pdu"
)

// encodeFlags is the command line of `pdu encode`.
type encodeFlags struct {
	to, smsc           string
	encoding, language string
	transliterate      bool
	flash, report      bool
	validity           time.Duration
	mr                 uint8
	ref                uint16
	ref16              bool
	data               string
	port               uint16
}

func (a *app) pduEncode() *cobra.Command {
	var f encodeFlags
	cmd := &cobra.Command{
		Use:   "encode --to NUMBER [TEXT]",
		Short: "write the SMS-SUBMIT PDUs of a text",
		Long: `Write the PDUs of a text, one a line: the length for AT+CMGS, which leaves out the
service centre, and the hexadecimal digits to put before Ctrl-Z.`,
		Args: oneText,
		RunE: func(_ *cobra.Command, args []string) error { return a.runEncode(f, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.to, "to", "", "recipient `number`")
	flags.StringVar(&f.smsc, "smsc", "", "service centre's `number` (default the one in the modem)")
	flags.StringVar(&f.encoding, "encoding", "auto", "`auto|gsm7|ucs2`")
	flags.StringVar(&f.language, "language", "", "national `language` table to use, such as turkish")
	flags.BoolVar(&f.transliterate, "transliterate", false, "replace what GSM 7-bit lacks by what looks like it")
	flags.BoolVar(&f.flash, "flash", false, "message class 0")
	flags.BoolVar(&f.report, "report", false, "ask for a status report (TP-SRR)")
	flags.DurationVar(&f.validity, "validity", 0, "validity `period` (default the service centre's)")
	flags.Uint8Var(&f.mr, "mr", 0, "message `reference` (TP-MR)")
	flags.Uint16Var(&f.ref, "ref", 0, "concatenation `reference`")
	flags.BoolVar(&f.ref16, "ref16", false, "write the concatenation reference with 16 bits")
	flags.StringVar(&f.data, "data", "", "send the bytes of `file` (- is standard input) instead of a text")
	flags.Uint16Var(&f.port, "port", 0, "destination `port`")
	completions(cmd, "encoding", "auto", "gsm7", "ucs2")
	return cmd
}

// encodedPart is one line of the output.
type encodedPart struct {
	Seq    int    `json:"seq"`
	Total  int    `json:"total"`
	Length int    `json:"length"`
	PDU    string `json:"pdu"`
}

func (a *app) runEncode(f encodeFlags, args []string) error {
	if f.to == "" {
		return hinted(usagef("encode for whom?"), `simpost pdu encode --to +4790000001 "text"`)
	}
	if f.data != "" && len(args) > 0 {
		return usagef("a message carries a text or --data, not both")
	}
	switch {
	case f.validity < 0:
		return usagef("--validity is a time from now on, not %v", f.validity)
	case f.ref > 0xff && !f.ref16:
		return usagef("--ref is 0 to 255, and to 65535 with --ref16, not %d", f.ref)
	}
	da, err := pdu.ParseAddress(f.to)
	if err != nil {
		return fmt.Errorf("--to %q: %w", f.to, err)
	}
	var smsc pdu.Address
	if f.smsc != "" {
		if smsc, err = pdu.ParseAddress(f.smsc); err != nil {
			return fmt.Errorf("--smsc %q: %w", f.smsc, err)
		}
	}
	parts, err := a.segmentFor(f, args)
	if err != nil {
		return err
	}
	var lines []encodedPart
	for i, ud := range parts {
		submit := &pdu.Submit{SRR: f.report, MR: f.mr, DA: da, VP: pdu.RelativeValidity(f.validity), UD: ud}
		tpdu, err := pdu.Encode(submit)
		if err != nil {
			return err
		}
		digits, n, err := pdu.Frame{SMSC: smsc, TPDU: tpdu}.Hex()
		if err != nil {
			return err
		}
		lines = append(lines, encodedPart{Seq: i + 1, Total: len(parts), Length: n, PDU: digits})
	}
	return a.printEncoded(lines)
}

func (a *app) segmentFor(f encodeFlags, args []string) ([]pdu.UserData, error) {
	alphabet, ok := map[string]pdu.Alphabet{"auto": pdu.Auto, "gsm7": pdu.GSM7, "ucs2": pdu.UCS2}[f.encoding]
	if !ok {
		return nil, usagef("--encoding is auto, gsm7 or ucs2, not %q", f.encoding)
	}
	language, err := pdu.ParseLanguage(f.language)
	if err != nil {
		return nil, usagef("--language %q: %w", f.language, err)
	}
	o := pdu.Options{Alphabet: alphabet, Language: language, Transliterate: f.transliterate, Ref: f.ref, Ref16: f.ref16, Ports: pdu.Ports{Dst: f.port}}
	if f.flash {
		o.Class = pdu.Class0
	}
	if f.data != "" {
		data, err := a.readData(f.data)
		if err != nil {
			return nil, err
		}
		return pdu.SegmentData(data, o)
	}
	text, err := a.text(args)
	if err != nil {
		return nil, err
	}
	return pdu.Segment(text, o)
}

func (a *app) printEncoded(lines []encodedPart) error {
	if a.json {
		return a.printJSON(lines)
	}
	for _, l := range lines {
		if _, err := fmt.Fprintf(a.out, "%d %s\n", l.Length, l.PDU); err != nil {
			return err
		}
	}
	return nil
}
