package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"simpost/configs"
	"simpost/daemon/api"
)

// doctor --report. What goes into the file is chosen field by field: what is new in
// the API is left out until somebody has thought about it. What stands in a
// sentence is masked besides, for a modem may say anything.

const reportEvents = 200 // the last ones

type report struct {
	Made     time.Time       `json:"made"`
	Program  build           `json:"program"`
	System   system          `json:"system"`
	Daemon   string          `json:"daemon"`
	Attached []attached      `json:"attached"`
	Modems   []reportModem   `json:"modems"`
	Machine  []api.Diagnosis `json:"machine"`
	Messages map[string]int  `json:"messages,omitempty"`
	Events   []reportEvent   `json:"events,omitempty"`
	Config   []string        `json:"config,omitempty"`
}

// system is what the program runs on.
type system struct {
	Kernel  string `json:"kernel"`
	Machine string `json:"machine"`
	Name    string `json:"name,omitempty"`
	Model   string `json:"model,omitempty"`
}

type reportModem struct {
	Name         string            `json:"name"`
	Device       string            `json:"device"`
	Profile      string            `json:"profile,omitempty"`
	Condition    api.ConditionCode `json:"condition"`
	Since        time.Time         `json:"since"`
	Diagnosis    []api.Diagnosis   `json:"diagnosis"`
	LastAnswer   *time.Time        `json:"last_answer,omitempty"`
	IMEI         string            `json:"imei,omitempty"`
	IMSI         string            `json:"imsi,omitempty"`
	ICCID        string            `json:"iccid,omitempty"`
	HasNumber    bool              `json:"has_number"`
	HasSMSC      bool              `json:"has_smsc"`
	Manufacturer string            `json:"manufacturer,omitempty"`
	Model        string            `json:"model,omitempty"`
	Revision     string            `json:"revision,omitempty"`
	Registration string            `json:"registration,omitempty"`
	Operator     string            `json:"operator,omitempty"`
	Signal       *int              `json:"signal,omitempty"`
	Indications  string            `json:"indications,omitempty"`
	Memories     []api.Memory      `json:"memories"`
	SentParts    int64             `json:"sent_parts"`
	ReceivedPDU  int64             `json:"received_pdus"`
	LastError    *api.Reason       `json:"last_error,omitempty"`
}

// reportEvent says what happened when, and to which modem; not to whom.
type reportEvent struct {
	At     time.Time     `json:"at"`
	Type   api.EventType `json:"type"`
	Modem  string        `json:"modem,omitempty"`
	State  string        `json:"state,omitempty"`
	Detail string        `json:"detail,omitempty"` // of a condition: our own words
}

func (a *app) writeReport(ctx context.Context, name string, x examination, cfg configs.Config) error {
	r := report{Made: time.Now(), Program: buildInfo(), System: thisSystem(), Daemon: x.Daemon, Machine: x.Machine, Config: settings(cfg)}
	for _, d := range x.Attached {
		d.Serial = tail(d.Serial, 0)
		r.Attached = append(r.Attached, d)
	}
	for _, m := range x.Modems {
		r.Modems = append(r.Modems, reported(m))
	}
	if x.Daemon == daemonRuns {
		if err := a.addHistory(ctx, &r); err != nil {
			return err
		}
	}
	raw, err := masked(r)
	if err != nil {
		return err
	}
	if err := writeNew(name, func(f *os.File) error { _, err := f.Write(raw); return err }); err != nil {
		return err
	}
	fmt.Fprintf(a.err, "simpost: %s written; look it over before you give it away\n", name)
	return nil
}

func reported(m api.Modem) reportModem {
	return reportModem{Name: m.Name, Device: m.Device, Profile: m.Profile, Condition: m.Condition.Code, Since: m.Condition.Since,
		Diagnosis: m.Diagnosis, LastAnswer: m.LastAnswer,
		IMEI: tail(m.IMEI, 8), IMSI: tail(m.IMSI, 5), ICCID: tail(m.ICCID, 7), // the model, the network, the maker of the card
		HasNumber: m.Number != "", HasSMSC: m.SMSC != "", Manufacturer: m.Manufacturer, Model: m.Model, Revision: m.Revision,
		Registration: m.Registration, Operator: m.Operator, Signal: m.Signal, Indications: m.Indications, Memories: m.Memories,
		SentParts: m.SentParts, ReceivedPDU: m.ReceivedPDU, LastError: m.LastError}
}

// addHistory adds what only the daemon knows.
func (a *app) addHistory(ctx context.Context, r *report) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	st, err := c.Status(ctx)
	if err != nil {
		return err
	}
	r.Messages = st.Messages
	return c.Events(ctx, max(st.LastEvent-reportEvents, 0), false, func(e api.Event) error {
		one := reportEvent{At: e.At, Type: e.Type, Modem: e.Modem, State: e.State}
		if e.Type == api.EventModem {
			one.Detail = e.Detail
		}
		r.Events = append(r.Events, one)
		return nil
	})
}

// harmless are the settings whose text tells nothing of people but by their numbers.
var harmless = map[string]bool{"level": true, "format": true, "mode": true, "on_unknown": true, "name": true, "device": true, "profile": true, "smss": true}

// settings are the lines of the configuration; of the others that are text only
// that they are set.
func settings(cfg configs.Config) []string {
	var b bytes.Buffer
	if err := configs.Print(&b, cfg); err != nil {
		return nil
	}
	var lines []string
	for line := range strings.Lines(b.String()) {
		line = strings.TrimSpace(line)
		key, value, ok := strings.Cut(line, " = ")
		switch text, err := strconv.Unquote(value); {
		case !ok || plainValue(value):
		case harmless[key] && err == nil:
			line = key + " = " + strconv.Quote(hidden(text))
		default:
			line = key + " = (set)"
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

var duration = regexp.MustCompile(`^"[0-9]+(s|m|h|d|w)"$`)

func plainValue(value string) bool {
	_, err := strconv.Atoi(value)
	return err == nil || value == "true" || value == "false" || value == `""` || value == "[]" || duration.MatchString(value)
}

func thisSystem() system {
	var u unix.Utsname
	_ = unix.Uname(&u) // it can't fail
	s := system{Kernel: unix.ByteSliceToString(u.Release[:]), Machine: unix.ByteSliceToString(u.Machine[:])}
	if raw, err := os.ReadFile("/proc/device-tree/model"); err == nil {
		s.Model = strings.TrimRight(string(raw), "\x00\n")
	}
	raw, _ := os.ReadFile("/etc/os-release") // none on some systems
	for line := range strings.Lines(string(raw)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			s.Name = strings.Trim(name, `"`)
		}
	}
	return s
}

// tail masks all but the first n characters.
func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + strings.Repeat("*", len(s)-n)
}

// longest of what may stay in a sentence: a code, a year, a device's number.
var telling = regexp.MustCompile(`\+?[0-9]{6,}|[0-9A-Fa-f]{12,}|"[^"]*"`)

// byID is a link of udev's, in whose name a serial number stands with nothing to tell
// it from the rest; which of the ports it is stays.
var byID = regexp.MustCompile(`(by-id/)[^\s"]+?((?:-if[0-9a-f]+(?:-port[0-9]+)?)?:?(?:[\s"]|$))`)

// hidden is a sentence without what tells who somebody is.
func hidden(s string) string {
	s = byID.ReplaceAllString(s, "${1}***$2")
	return telling.ReplaceAllStringFunc(s, func(s string) string { return tail(s, 0) })
}

// masked is the JSON of r, in which nothing in a sentence tells who somebody is.
func masked(r report) ([]byte, error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err = enc.Encode(maskedTree("", tree))
	return b.Bytes(), err
}

// spared are the fields that name makes and programs, which have long numbers too,
// and the settings, which are hidden one by one.
var spared = map[string]bool{"revision": true, "model": true, "manufacturer": true, "kernel": true, "commit": true, "config": true, "sentence": true, "remedy": true}

func maskedTree(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			v[k] = maskedTree(k, inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = maskedTree(key, inner)
		}
	case string:
		if _, err := time.Parse(time.RFC3339Nano, v); err == nil || spared[key] || key == "imei" || key == "imsi" || key == "iccid" {
			return v
		}
		return hidden(v)
	}
	return v
}
