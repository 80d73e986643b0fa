// Package configs is the shape of simpost's configuration file, its defaults
// and its checks. Commands load it; the daemon is given the values.
//
// What a reader would get wrong: the file is read once. There is no reload: a
// restart costs a second and loses nothing, and viper's WatchConfig races with
// readers and may end the process.
//
// A value comes from the environment (SIMPOST_SEND_ANSWER_TIMEOUT for
// send.answer_timeout), else from the file, else from Default. Modems come from
// the file only. Keys and values are checked strictly and all problems are
// reported at once, each with its key, its line and what would be right.
package configs

import (
	_ "embed"
	"io/fs"
	"time"
)

// DefaultPath is where the daemon looks for its configuration.
const DefaultPath = "/etc/simpost/simpost.toml"

// The files that `make install` puts in place, as they are.
var (
	//go:embed simpost.toml
	Reference string // every key, its default and what it means
	//go:embed simpost.service
	Unit string // the systemd unit
	//go:embed 70-simpost.rules
	UdevRules string
)

// Config is the whole file. The zero value is not usable; start from Default.
type Config struct {
	Database  string    `mapstructure:"database"` // absolute path of the SQLite file
	Mark      string    `mapstructure:"mark"`     // see MarkPath
	Log       Log       `mapstructure:"log"`
	API       API       `mapstructure:"api"`
	Roles     Roles     `mapstructure:"roles"`
	Send      Send      `mapstructure:"send"`
	Receive   Receive   `mapstructure:"receive"`
	Retention Retention `mapstructure:"retention"`
	Guard     Guard     `mapstructure:"guard"`
	Modems    []Modem   `mapstructure:"modem"`
}

// Log is what the daemon writes to stderr.
type Log struct {
	Level  string `mapstructure:"level"`  // debug, info, warn or error, as slog.Level.UnmarshalText reads them
	Format string `mapstructure:"format"` // text or json
}

// API is the unix socket.
type API struct {
	Socket string      `mapstructure:"socket"` // absolute path
	Mode   fs.FileMode `mapstructure:"mode"`
	Group  string      `mapstructure:"group"` // the socket's group; empty is the daemon's own

	Console bool `mapstructure:"console"` // people of the role admin may type AT commands
}

// Roles names who may do what, besides root and the daemon's own user, who may do
// everything. A value is words with spaces between them: a user, a group behind an
// @, the number of either, or SocketGroup.
type Roles struct {
	Send        string `mapstructure:"send"`
	ReadStatus  string `mapstructure:"read_status"`
	ReadContent string `mapstructure:"read_content"`
	Admin       string `mapstructure:"admin"`
}

// SocketGroup is the word of a role for the group of the socket, whichever it is.
const SocketGroup = "@api.group"

// Send is how messages leave. The durations of one attempt are monotonic.
type Send struct {
	AnswerTimeout time.Duration `mapstructure:"answer_timeout"` // from ^Z to the modem's answer
	Validity      time.Duration `mapstructure:"validity"`       // TP-VP of a message that names none
	Report        bool          `mapstructure:"report"`         // TP-SRR of a message that does not say
	OnUnknown     string        `mapstructure:"on_unknown"`     // resend, hold or fail
	Quarantine    time.Duration `mapstructure:"quarantine"`     // how long an unknown attempt waits for evidence
	Tries         int           `mapstructure:"tries"`          // attempts refused for a while before a part fails
	RetryFirst    time.Duration `mapstructure:"retry_first"`    // wait after the first refusal; doubles with each
	RetryLongest  time.Duration `mapstructure:"retry_longest"`
}

// Receive is how messages are fetched from a modem.
type Receive struct {
	Poll  time.Duration `mapstructure:"poll"`  // between two counts of the stored messages
	Sweep time.Duration `mapstructure:"sweep"` // between two full listings that nothing asked for
}

// Retention is for how long things are kept; 0 is for ever.
type Retention struct {
	Text   time.Duration `mapstructure:"text"`   // what messages that are done said
	Events time.Duration `mapstructure:"events"` // the log of facts
	Signal time.Duration `mapstructure:"signal"` // how modems stood with the network
}

// Guard holds the limits on what may be sent.
type Guard struct {
	Off       bool     `mapstructure:"off"`       // no limits: for tests; the daemon says so at start
	Countries []string `mapstructure:"countries"` // calling codes besides the SIM's own, such as +46; * is all
	Allow     []string `mapstructure:"allow"`     // numbers, or with a final * prefixes, that no rule on numbers refuses
	USSD      []string `mapstructure:"ussd"`      // codes that the role send may dial

	PartsPerMinute        int `mapstructure:"parts_per_minute"`         // of a SIM: more wait
	PartsPerRecipientHour int `mapstructure:"parts_per_recipient_hour"` // more are refused
	PartsPerDay           int `mapstructure:"parts_per_day"`            // of the daemon: more are refused
}

// Modem is one modem.
type Modem struct {
	Name    string `mapstructure:"name"`     // [a-z0-9-]{1,32}, unique
	Device  string `mapstructure:"device"`   // see FoundBy; it may come and go
	Baud    int    `mapstructure:"baud"`     // bits per second; 0 is found out
	RTSCTS  bool   `mapstructure:"rtscts"`   // hardware flow control
	Profile string `mapstructure:"profile"`  // a dialect's name; empty: by the modem's own answers
	PINFile string `mapstructure:"pin_file"` // a file that holds the SIM's PIN and nothing else
	SMSC    string `mapstructure:"smsc"`     // overrides the SIM's service centre number
	// MCC and MNC of the network to be in, or auto; empty leaves what the modem remembers.
	Operator string `mapstructure:"operator"`
	HomeOnly bool   `mapstructure:"home_only"` // nothing is sent while the SIM is registered abroad
	PINKeep  int    `mapstructure:"pin_keep"`  // tries of the PIN that stay for a person: 1 or 2; 0 is 2
	SMSS     string `mapstructure:"smss"`      // none or before-radio; empty: by the dialect (docs/trust.md)
	KeepsMR  bool   `mapstructure:"keeps_mr"`  // the modem sends the message reference that it is given
	HangUp   bool   `mapstructure:"hang_up"`   // on incoming calls, once it is known who calls

	Broadcasts string `mapstructure:"broadcasts"` // channels of cell broadcasts; see ParseChannels

	Hands      string `mapstructure:"hands"`       // see HandList
	PowerKey   string `mapstructure:"power_key"`   // the GPIO line wired to its PWRKEY, as gpiochip0/4 or gpiochip0/4/low; empty: none
	PowerPulse string `mapstructure:"power_pulse"` // how long the key is pressed: one of Pulses

	BalanceCode    string        `mapstructure:"balance_code"`    // USSD code and replies that show the balance; empty: it is not asked for
	BalanceEvery   time.Duration `mapstructure:"balance_every"`   // 0 is DefaultBalanceEvery
	BalancePattern string        `mapstructure:"balance_pattern"` // regular expression; its first group, or all of it, is the amount
	BalanceLow     string        `mapstructure:"balance_low"`     // an amount such as 5.00; below it there is an event

	KeepaliveEvery time.Duration `mapstructure:"keepalive_every"` // 0: nothing is done
	KeepaliveCode  string        `mapstructure:"keepalive_code"`  // USSD code and replies,
	KeepaliveTo    string        `mapstructure:"keepalive_to"`    // or a number that gets
	KeepaliveText  string        `mapstructure:"keepalive_text"`  // this text; empty is DefaultKeepaliveText
}

// What an empty value of a modem stands for.
const (
	DefaultBalanceEvery  = day
	DefaultKeepaliveText = "simpost"
)

const (
	defaultDatabase = "/var/lib/simpost/simpost.db"
	defaultMark     = "/var/lib/simpost-mark/last"
	autoMark        = "auto"
)

// MarkPath is the file that tells a database which was restored from a copy, ""
// if none is kept.
func (c Config) MarkPath() string {
	switch {
	case c.Mark != autoMark:
		return c.Mark
	case c.Database == defaultDatabase:
		return defaultMark
	}
	return ""
}

// Default is what an empty file means. It names no modem, so it does not pass Check.
func Default() Config {
	return Config{
		Database: defaultDatabase,
		Mark:     autoMark,
		Log:      Log{Level: "info", Format: "text"},
		API:      API{Socket: "/run/simpost/simpost.sock", Mode: 0o660},
		Roles:    Roles{Send: SocketGroup, ReadStatus: SocketGroup, ReadContent: SocketGroup},
		Send: Send{
			AnswerTimeout: 180 * time.Second,
			Validity:      3 * 24 * time.Hour,
			Report:        true,
			OnUnknown:     "resend",
			Quarantine:    120 * time.Second,
			Tries:         10,
			RetryFirst:    30 * time.Second,
			RetryLongest:  30 * time.Minute,
		},
		Receive:   Receive{Poll: 15 * time.Second, Sweep: time.Hour},
		Retention: Retention{Text: 90 * 24 * time.Hour, Events: 30 * 24 * time.Hour, Signal: 90 * 24 * time.Hour},
		Guard: Guard{Countries: []string{}, Allow: []string{}, USSD: []string{},
			PartsPerMinute: 10, PartsPerRecipientHour: 20, PartsPerDay: 1000},
	}
}
