package configs

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// smallest is the configuration of the README.
const smallest = `database = "/var/lib/simpost/simpost.db"
[api]
socket = "/run/simpost/simpost.sock"
[[modem]]
name = "office"
device = "auto"
`

func office() []Modem { return []Modem{{Name: "office", Device: "auto"}} }

func TestReferenceIsTheDefaults(t *testing.T) {
	got, err := Parse([]byte(Reference))
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Modems = office()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the reference file means\n%+v, the defaults are\n%+v", got, want)
	}
}

// Every key stands in the reference file exactly once, with a comment above it.
func TestReferenceHasEveryKeyAndAComment(t *testing.T) {
	lines, _ := keyLines(Reference)
	text := strings.Split(Reference, "\n")
	for _, key := range knownKeys() {
		line := lines[strings.Replace(key, "[]", "[0]", 1)]
		if key == "modem" {
			line = lines["modem[0]"]
		}
		if line == 0 {
			t.Errorf("%s is missing", key)
			continue
		}
		if above := text[line-2]; !strings.HasPrefix(above, "# ") {
			t.Errorf("line %d: %s has no comment but %q above it", line, key, above)
		}
	}
	s := bufio.NewScanner(strings.NewReader(Reference))
	for n := 1; s.Scan(); n++ {
		if len(s.Text()) > 110 {
			t.Errorf("line %d is %d characters long", n, len(s.Text()))
		}
	}
}

func TestSmallestFile(t *testing.T) {
	got, err := Parse([]byte(smallest))
	want := Default()
	want.Modems = office()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestReadmeHasTheSmallestFile(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "```toml\n"+smallest+"```\n") {
		t.Error("the README's configuration is not the one tested here")
	}
}

func TestPrintIsReadBack(t *testing.T) {
	every := Config{
		Database: "/tmp/a \"b\"\\c\n.db",
		Mark:     "/var/tmp/mark",
		Log:      Log{Level: "debug", Format: "json"},
		API:      API{Socket: "/tmp/s", Mode: 0o600, Group: "staff", Console: true},
		Roles:    Roles{Send: "alice @staff 1001", ReadContent: "@7"},
		Send: Send{AnswerTimeout: 90500 * time.Millisecond, Validity: 2 * time.Hour, OnUnknown: "hold",
			Quarantine: 61 * time.Second, Tries: 3, RetryFirst: time.Minute, RetryLongest: 2 * time.Minute},
		Receive:   Receive{Poll: time.Second, Sweep: 25 * time.Hour},
		Retention: Retention{Text: 0, Events: 9 * 24 * time.Hour},
		Guard: Guard{Off: true, Countries: []string{"+46", "+45"}, Allow: []string{"12345", "+8816*", "*100#"}, USSD: []string{"*100#"},
			PartsPerMinute: 1, PartsPerRecipientHour: 2, PartsPerDay: 3},
		Modems: []Modem{
			{Name: "a", Device: "/dev/a", Baud: 9600, Profile: "huawei", PINFile: "/etc/simpost/pin", SMSC: "+4790000000"},
			{Name: "b", Device: "/dev/b"},
		},
	}
	withModem := Default()
	withModem.Modems = office()
	for _, want := range []Config{every, withModem} {
		var b bytes.Buffer
		if err := Print(&b, want); err != nil {
			t.Fatal(err)
		}
		if got, err := Parse(b.Bytes()); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("printed\n%sread as %+v\nwant %+v\nerror %v", &b, got, want, err)
		}
	}
}

// Each case is a file, and all that must be said about it.
func TestProblems(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		want       []string
	}{
		{"misspelt", "databse = \"/x\"\n" + smallest, []string{"line 1: databse: no such key; is it database?"}},
		{"misspelt in a section", smallest + "pinfile = \"/x\"", []string{"line 7: modem[0].pinfile: no such key; is it pin_file?"}},
		{"unlike any", "colour = 1\n" + smallest, []string{"line 1: colour: no such key; `simpost config print` shows them all"}},
		{"below the wrong header", smallest + "[send]\nlevel = \"info\"", []string{"line 8: send.level: no such key here: it belongs below [log]"}},
		{"at the wrong end", smallest + "database = \"/x\"", []string{"line 7: modem[0].database: no such key here: it belongs at the top of the file, above the first [section]"}},
		{"modem at the top", "device = \"/x\"\n" + smallest, []string{"line 1: device: no such key here: it belongs below [[modem]]"}},
		{"unknown section", smallest + "[http]\nport = 80", []string{"line 8: http.port: no such key; `simpost config print` shows them all"}},

		{"quoted PIN", smallest + "pin = \"1234\"", []string{"line 7: modem[0].pin: a PIN has no place in this file: write it alone into a file of mode 0400 and name that one with pin_file"}},
		{"unquoted PIN", smallest + "pin = 1234", []string{"line 7: modem[0].pin: a PIN has no place in this file: write it alone into a file of mode 0400 and name that one with pin_file"}},
		{"PIN for its file", smallest + "pin_file = \"0123\"", []string{"line 7: modem[0].pin_file: write the path, beginning with /, of the file that holds the PIN"}},

		{"number for a duration", smallest + "[send]\nquarantine = 120", []string{`line 8: send.quarantine: 120 is not in quotes: write a number and a unit (s, m, h, d or w), such as "180s"`}},
		{"duration without unit", smallest + "[send]\nquarantine = \"120\"", []string{`line 8: send.quarantine: "120" is not a duration: write a number and a unit (s, m, h, d or w), such as "180s"`}},
		{"duration too long", smallest + "[send]\nvalidity = \"99999999999999w\"", []string{`line 8: send.validity: "99999999999999w" is not a duration: write a number and a unit (s, m, h, d or w), such as "180s"`}},
		{"duration out of range", smallest + "[receive]\npoll = \"0s\"", []string{"line 8: receive.poll: 0s: write a duration from 1s to 1h"}},
		{"wrong word", smallest + "[send]\non_unknown = \"retry\"", []string{`line 8: send.on_unknown: "retry": write one of resend, hold, fail`}},
		{"yes for true", smallest + "[guard]\noff = \"yes\"", []string{"line 8: guard.off: yes is neither true nor false"}},
		{"a country by its name", smallest + "[guard]\ncountries = [\"+46\", \"sweden\"]", []string{`line 8: guard.countries: "sweden": write a country as its calling code, such as "+46", or "*" for all`}},
		{"all numbers allowed", smallest + "[guard]\nallow = \"*\"", []string{`line 8: guard.allow: "*": write a number such as "12345" or "+4790000001", or how numbers begin: "+8816*"`}},
		{"number in a list", smallest + "[guard]\nallow = [\"1\", 12345]", []string{"line 8: guard.allow[1]: 12345 is not text: write it in quotes"}},
		{"number for a list", smallest + "[guard]\ncountries = 46", []string{`line 8: guard.countries: 46 is no list: write ["...", "..."]`}},
		{"no limit", smallest + "[guard]\nparts_per_day = 0", []string{"line 8: guard.parts_per_day: 0: write a number from 1 to 1000000"}},
		{"text for a number", smallest + "[send]\ntries = \"many\"", []string{"line 8: send.tries: many is not a whole number"}},
		{"fraction", smallest + "[send]\ntries = 1.5", []string{"line 8: send.tries: 1.5 is not a whole number"}},
		{"number for text", smallest + "smsc = 4790000000", []string{"line 7: modem[0].smsc: 4790000000 is not text: write it in quotes"}},
		{"mode", strings.Replace(smallest, "socket", "mode = \"0777\"\nsocket", 1), []string{`line 3: api.mode: 0777: write "0660" for the daemon's user and group, "0600" for its user alone`}},
		{"mode in words", strings.Replace(smallest, "socket", "mode = \"rw\"\nsocket", 1), []string{`line 3: api.mode: "rw" is not a file mode: write an octal number, such as "0660"`}},
		{"mode with more than rights", strings.Replace(smallest, "socket", "mode = \"7660\"\nsocket", 1), []string{`line 3: api.mode: "7660" is not a file mode: write an octal number, such as "0660"`}},
		{"roles", smallest + "[roles]\nsend = \"alice, @bob\"\nadmin = \"@everybody.else @api.group\"\nread_status = [\"a\"]", []string{
			`line 10: roles.read_status: [a] is not text: write it in quotes`}},
		{"names in roles", smallest + "[roles]\nsend = \"alice, @bob\"\nadmin = \"@every.body @api.group\"", []string{
			`line 8: roles.send: "alice,": write users, and groups behind an @, with spaces between them, such as "alice @staff @api.group"`,
			`line 9: roles.admin: "@every.body": write users, and groups behind an @, with spaces between them, such as "alice @staff @api.group"`}},
		{"section as a key", "log = \"debug\"\n" + smallest, []string{"line 1: log: this is a section: write it as [name] on a line of its own, and its keys below"}},
		{"one bracket", strings.Replace(smallest, "[[modem]]", "[modem]", 1), []string{"line 4: modem: write [[modem]], in two brackets, for each modem"}},

		{"no modem", "", []string{`modem: no modem: add [[modem]], with name = "office" and device = "auto" below it`}},
		{"devices", "[[modem]]\nname = \"a\"\ndevice = \"imei:35391503012345\"\n[[modem]]\nname = \"b\"\ndevice = \"iccid:8947x\"\n" +
			"[[modem]]\nname = \"c\"\ndevice = \"usb:/1-1\"\n[[modem]]\nname = \"d\"\ndevice = \"IMEI:353915030123451\"\n", []string{
			`line 3: modem[0].device: "imei:35391503012345": write the 15 digits that are printed on the modem`,
			`line 6: modem[1].device: "iccid:8947x": write the 18 to 22 digits that are printed on the SIM card, beginning with 89`,
			`line 9: modem[2].device: "usb:/1-1": write the place that "simpost doctor" shows, such as "usb:1-1.2"`,
			`line 12: modem[3].device: "IMEI:353915030123451": write "auto", a path such as "/dev/ttyUSB2", "usb:1-1.2", "imei:" or "iccid:" and the number`}},
		{"one stick twice", "[[modem]]\nname = \"a\"\ndevice = \"usb:1-1.2\"\n[[modem]]\nname = \"b\"\ndevice = \"usb:1-1.2\"\n", []string{
			`line 6: modem[1].device: "usb:1-1.2" is modem[0]'s already`}},
		{"auto twice", "[[modem]]\nname = \"a\"\ndevice = \"auto\"\n[[modem]]\nname = \"b\"\ndevice = \"auto\"\n", []string{
			`line 6: modem[1].device: "auto" is modem[0]'s already`}},
		{"a name that auto gives", "[[modem]]\nname = \"a\"\ndevice = \"auto\"\n[[modem]]\nname = \"a-2\"\ndevice = \"/dev/ttyS0\"\n", []string{
			`line 5: modem[1].name: "a-2": modem[0] is automatic, and gives this name to another modem that it finds`}},
		{"auto with a long name", "[[modem]]\nname = \"abcdefghijklmnopqrstuvwxyz-abc\"\ndevice = \"auto\"\n", []string{
			`line 2: modem[0].name: "abcdefghijklmnopqrstuvwxyz-abc": an automatic modem has at most 29 letters, for the next one is called abcdefghijklmnopqrstuvwxyz-abc-2`}},
		{"hands", smallest + "hands = \"usb-reset hammer usb-reset\"", []string{
			`line 7: modem[0].hands: "hammer": write some of usb-reset, usb-power and power-key with spaces between them, or none alone`,
			`line 7: modem[0].hands: "usb-reset" stands there twice`}},
		{"a key without its line", smallest + "hands = \"power-key\"", []string{`line 7: modem[0].hands: power-key needs power_key, the line that it is wired to`}},
		{"a key", smallest + "power_key = \"GPIO4\"", []string{
			`modem[0].power_pulse: "": write one of sim800, sim7600, ec25`,
			`line 7: modem[0].power_key: "GPIO4": write the chip and the line, such as "gpiochip0/4"`}},
		{"relative path", "database = \"simpost.db\"\n[[modem]]\nname = \"a\"\ndevice = \"ttyUSB2\"", []string{
			`line 1: database: "simpost.db": write a path that begins with /`,
			`line 4: modem[0].device: "ttyUSB2": write "auto", a path such as "/dev/ttyUSB2", "usb:1-1.2", "imei:" or "iccid:" and the number`}},
		{"two alike", smallest + smallest[strings.Index(smallest, "[[modem]]"):], []string{
			`line 8: modem[1].name: "office" is modem[0]'s already`,
			`line 9: modem[1].device: "auto" is modem[0]'s already`}},
		{"control characters", smallest + "smsc = \"+47\\r\\u001a\"\nprofile = \"a b\"\nbaud = 5", []string{
			`line 7: modem[0].smsc: "+47\r\x1a": write up to 20 digits, with + before an international number`,
			`line 8: modem[0].profile: "a b": write small letters, digits and dashes`,
			`line 9: modem[0].baud: 5: write bits per second from 1200 to 4000000`}},
		{"modem without anything", "[[modem]]", []string{
			`modem[0].device: "": write "auto", a path such as "/dev/ttyUSB2", "usb:1-1.2", "imei:" or "iccid:" and the number`,
			`modem[0].name: "": write 1 to 32 small letters, digits and dashes`}},
		{"two modems without anything", "[[modem]]\n[[modem]]", []string{
			`modem[0].device: "": write "auto", a path such as "/dev/ttyUSB2", "usb:1-1.2", "imei:" or "iccid:" and the number`,
			`modem[0].name: "": write 1 to 32 small letters, digits and dashes`,
			`modem[1].device: "": write "auto", a path such as "/dev/ttyUSB2", "usb:1-1.2", "imei:" or "iccid:" and the number`,
			`modem[1].name: "": write 1 to 32 small letters, digits and dashes`}},
		{"several kinds at once", "databse = \"/x\"\n" + smallest + "baud = \"fast\"\n[log]\nlevel = 3", []string{
			"line 1: databse: no such key; is it database?",
			"line 8: modem[0].baud: fast is not a whole number",
			"line 10: log.level: 3 is not text: write it in quotes"}},
		{"mark beside the database", "mark = \"/var/lib/simpost/last\"\n" + smallest, []string{
			`line 1: mark: "/var/lib/simpost/last": write a file in another folder than the database's, or it is restored with it`}},
		{"balance", smallest + "balance_code = \"100\"\nbalance_pattern = \"(\"\nbalance_low = \"5,00\"\nbalance_every = \"1m\"", []string{
			`line 7: modem[0].balance_code: "100": write a USSD code, and replies behind it, such as "*100# 2"`,
			"line 8: modem[0].balance_pattern: error parsing regexp: missing closing ): `(`: write a regular expression such as 'balance is ([0-9.]+)'",
			`line 9: modem[0].balance_low: "5,00": write an amount with a point, such as "5.00"`,
			`line 10: modem[0].balance_every: 1m: write a duration from 1h to 90d`}},
		{"broadcasts", smallest + "broadcasts = \"alerts 50-40\"", []string{
			`line 7: modem[0].broadcasts: "50-40" is no channel: write alerts, and numbers and ranges with spaces between them, such as "alerts 50"`}},
		{"balance of nothing", smallest + "balance_low = \"5\"", []string{
			`modem[0].balance_code: write the code that shows the balance, or take the other balance_ settings out`}},
		{"keep alive by nothing", smallest + "keepalive_every = \"60d\"", []string{
			`line 7: modem[0].keepalive_every: write keepalive_code or keepalive_to below it, one of them`}},
		{"keep alive by both", smallest + "keepalive_every = \"1h\"\nkeepalive_code = \"*100# 1\"\nkeepalive_to = \"+4790000001\"", []string{
			`line 7: modem[0].keepalive_every: 1h: write a duration from 1d to 366d`,
			`line 7: modem[0].keepalive_every: write keepalive_code or keepalive_to below it, one of them`}},
		{"keep alive never", smallest + "keepalive_to = \"home\"", []string{
			`modem[0].keepalive_every: write how often, such as "60d"`,
			`line 7: modem[0].keepalive_to: "home": write a number such as "+4790000001"`}},
		{"kept too shortly", smallest + "[retention]\ntext = \"1d\"", []string{
			`line 8: retention.text: 1d: write 0s to keep it for ever, or a duration from 8d`}},
		{"long socket", strings.Replace(smallest, "/run/", "/"+strings.Repeat("r", 100)+"/", 1), []string{
			"line 3: api.socket: longer than 107 characters, the kernel's limit for a socket"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(tt.file))
			checkProblems(t, err, tt.want)
		})
	}
}

func checkProblems(t *testing.T, err error, want []string) {
	t.Helper()
	var got []string
	var ce *Error
	if errors.As(err, &ce) {
		for _, p := range ce.Problems {
			got = append(got, p.String())
		}
	} else if err != nil {
		t.Fatalf("%v is not an *Error", err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("problems\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestSyntaxErrorsHaveALine(t *testing.T) {
	for _, file := range []string{
		"database = \"/x\"\n[[modem]]\npin = 0123\n", // TOML itself refuses the unquoted PIN
		"database = \"/x\"\nname = \"a\"\nname = \"b\"\n",
		"database = \"/x\"\n[api]\n[send\n",
	} {
		_, err := Parse([]byte(file))
		var ce *Error
		if !errors.As(err, &ce) || len(ce.Problems) != 1 || ce.Problems[0].Line != 3 {
			t.Errorf("%q: %v; want one problem in line 3", file, err)
		}
	}
}

func TestCheckWithoutAFile(t *testing.T) {
	cfg := Default()
	cfg.Log.Level = "loud"
	err := cfg.Check()
	checkProblems(t, err, []string{`log.level: "loud": write one of debug, info, warn, error`,
		`modem: no modem: add [[modem]], with name = "office" and device = "auto" below it`})
	if !strings.HasPrefix(err.Error(), "configuration: 2 problems\n  ") {
		t.Errorf("message %q", err)
	}
	cfg.Log.Level, cfg.Modems = "debug", office()
	if err := cfg.Check(); err != nil {
		t.Error(err)
	}
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "simpost.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEnvironmentOutranksTheFile(t *testing.T) {
	path := writeFile(t, smallest+"[send]\nquarantine = \"60s\"\ntries = 5\n")
	t.Setenv("SIMPOST_DATABASE", "/tmp/env.db")
	t.Setenv("SIMPOST_SEND_QUARANTINE", "90s")
	t.Setenv("SIMPOST_SEND_TRIES", "7")
	t.Setenv("SIMPOST_SEND_REPORT", "false")
	t.Setenv("SIMPOST_API_MODE", "0600")
	t.Setenv("SIMPOST_SOCKET", "/tmp/other") // the commands' own, no setting
	cfg, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Database != "/tmp/env.db" || cfg.Send.Quarantine != 90*time.Second || cfg.Send.Tries != 7 ||
		cfg.Send.Report || cfg.API.Mode != 0o600 {
		t.Errorf("got %+v", cfg)
	}
	if cfg, err := Parse([]byte(smallest)); err != nil || cfg.Database != "/var/lib/simpost/simpost.db" {
		t.Errorf("Parse reads the environment: %+v, %v", cfg, err)
	}
}

// A list of one may be a text, and a variable holds a list with commas.
func TestListsAsText(t *testing.T) {
	path := writeFile(t, smallest+"[guard]\ncountries = \"*\"\nallow = [\"12345\"]\n")
	t.Setenv("SIMPOST_GUARD_ALLOW", "1890, +8816*")
	cfg, err := Load(path)
	if err != nil || !slices.Equal(cfg.Guard.Countries, []string{"*"}) || !slices.Equal(cfg.Guard.Allow, []string{"1890", "+8816*"}) {
		t.Errorf("got %+v, %v", cfg.Guard, err)
	}
}

func TestBadEnvironment(t *testing.T) {
	path := writeFile(t, smallest)
	t.Setenv("SIMPOST_SEND_QUARANTIN", "90s")
	t.Setenv("SIMPOST_MODEM_DEVICE", "/dev/ttyUSB0")
	t.Setenv("SIMPOST_LOG_LEVEL", "debug")
	t.Setenv("SIMPOST_SEND_TRIES", "many")
	_, err := Load(path)
	checkProblems(t, err, []string{
		"SIMPOST_MODEM_DEVICE: no such setting; modems come from the file only",
		"SIMPOST_SEND_QUARANTIN: no such setting; is it SIMPOST_SEND_QUARANTINE?",
		"SIMPOST_SEND_TRIES: many is not a whole number",
	})
	if !strings.HasPrefix(err.Error(), path+": 3 problems") {
		t.Errorf("message %q", err)
	}
}

func TestLoadWithoutAFile(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none.toml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want os.ErrNotExist", err)
	}
}

func TestEndlessFile(t *testing.T) {
	_, err := Load("/dev/zero")
	var ce *Error
	if !errors.As(err, &ce) || !strings.Contains(err.Error(), "/dev/zero: the file is larger than") {
		t.Errorf("got %v", err)
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"180s": 3 * time.Minute, "1h30m": 90 * time.Minute, "2d": 48 * time.Hour, "1w": 7 * 24 * time.Hour, "0s": 0,
	} {
		got, err := parseDuration(text)
		if err != nil || got != want {
			t.Errorf("%s is %v, %v; want %v", text, got, err, want)
		}
		if back, err := parseDuration(durationText(want)); err != nil || back != want {
			t.Errorf("%v is written %s and read %v, %v", want, durationText(want), back, err)
		}
	}
	for _, text := range []string{"", "d", "-1d", "1.5d", "180", "ten", "1d2h", "99999999d"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

// FuzzParse: whatever the file holds, there is a Config that passes Check and
// survives Print, or an *Error that names a problem.
func FuzzParse(f *testing.F) {
	f.Add([]byte(Reference))
	f.Add([]byte(smallest))
	f.Add([]byte("[modem]\nname=1"))
	f.Add([]byte("modem = [1, {name = \"a\"}]"))
	f.Add([]byte("[send]\nretry_first = \"1d\"\n[send.x]\ny=[[1]]"))
	f.Fuzz(func(t *testing.T, file []byte) {
		cfg, err := Parse(file)
		var ce *Error
		if errors.As(err, &ce) {
			if len(ce.Problems) == 0 || ce.Problems[0].Message == "" {
				t.Fatalf("an empty error: %+v", ce)
			}
			return
		}
		if err != nil {
			t.Fatalf("%v is not an *Error", err)
		}
		var b bytes.Buffer
		if err := errors.Join(cfg.Check(), Print(&b, cfg)); err != nil {
			t.Fatal(err)
		}
		if back, err := Parse(b.Bytes()); err != nil || !reflect.DeepEqual(back, cfg) {
			t.Fatalf("printed\n%s\nread as %+v, %v\nwant %+v", &b, back, err, cfg)
		}
	})
}

func TestFoundBy(t *testing.T) {
	for device, want := range map[string][2]string{
		"auto": {Auto, ""}, "/dev/ttyUSB2": {ByPath, "/dev/ttyUSB2"}, "usb:1-1.2": {ByPlace, "1-1.2"},
		"imei:353915030123451": {ByIMEI, "353915030123451"}, "iccid:89470000000000000001": {ByICCID, "89470000000000000001"},
		"/dev/serial/by-id/usb-Silicon:1": {ByPath, "/dev/serial/by-id/usb-Silicon:1"}, "other:1": {ByPath, "other:1"},
	} {
		if how, value := (Modem{Device: device}).FoundBy(); how != want[0] || value != want[1] {
			t.Errorf("%s: found by %s %q, want %v", device, how, value, want)
		}
	}
}

func TestIsAutoName(t *testing.T) {
	for name, want := range map[string]bool{"office": true, "office-2": true, "office-10": true, "office-99": true,
		"office-1": false, "office-02": false, "office-100": false, "office-x": false, "offic": false, "spare": false} {
		if got := IsAutoName("office", name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestHandList(t *testing.T) {
	for _, c := range []struct {
		m    Modem
		want []string
	}{
		{Modem{}, []string{"usb-reset"}},
		{Modem{PowerKey: "gpiochip0/4"}, []string{"usb-reset", "power-key"}},
		{Modem{Hands: "usb-power usb-reset", PowerKey: "gpiochip0/4"}, []string{"usb-power", "usb-reset"}},
		{Modem{Hands: "none", PowerKey: "gpiochip0/4"}, nil},
	} {
		if got := c.m.HandList(); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v", c.m, got)
		}
	}
}
