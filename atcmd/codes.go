package atcmd

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// CMEError is the code of a +CME ERROR final result (TS 27.007 9.2). Text that no table knows is code 100.
type CMEError int

// CMSError is the code of a +CMS ERROR final result (TS 27.005 3.2.5): 1 to 127 are RP causes (TS 24.011 8.2.5.4), with
// which the network refused the message; 128 to 255 are TP-FCS (TS 23.040 9.2.3.22); from 300 on the modem speaks for
// itself, and from 512 on in words of its maker. Text that no table knows is code 500.
type CMSError int

// Class says what an error asks of whoever wants to send. The standards give codes a meaning, not a class: these are
// judgements from the meaning and from what other drivers do.
type Class uint8

// The classes.
const (
	Unclear   Class = iota // the code does not say: retry under a limit
	Temporary              // the same may work later
	Permanent              // the same will be refused again
	Operator               // a person must act (SIM, PIN, subscription): stop using the modem
)

func (c Class) String() string {
	return [...]string{"unclear", "temporary", "permanent", "operator"}[c]
}

// ClassOf is the class of the code in err's chain; of any other error it is Unclear.
func ClassOf(err error) Class {
	if e, ok := errors.AsType[CMSError](err); ok {
		return e.Class()
	}
	if e, ok := errors.AsType[CMEError](err); ok {
		return e.Class()
	}
	return Unclear
}

// Ambiguous says whether the network may have the message although its exchange ended with err: ^Z was handed to the
// port, and err is no code that means that the message went nowhere. ERROR without a code, silence and a lost port tell
// nothing, so they are ambiguous.
func Ambiguous(err error) bool {
	x, ok := errors.AsType[*ExecError](err)
	if !ok || !x.Submitted {
		return false
	}
	if e, ok := errors.AsType[CMSError](err); ok {
		return e.row().ambiguous
	}
	if e, ok := errors.AsType[CMEError](err); ok {
		return e.row().ambiguous
	}
	return true
}

// Class says what the code asks for.
func (e CMEError) Class() Class { return e.row().class }

// Class says what the code asks for.
func (e CMSError) Class() Class { return e.row().class }

// Temporary says whether the same may work later.
func (e CMEError) Temporary() bool { return e.Class() == Temporary }

// Temporary says whether the same may work later.
func (e CMSError) Temporary() bool { return e.Class() == Temporary }

func (e CMEError) Error() string { return "+CME ERROR: " + e.row().String() }
func (e CMSError) Error() string { return "+CMS ERROR: " + e.row().String() }

func (e CMEError) row() code { return find(cmeCodes, int(e), true) }

// row: a cause that the network may have sent means that it refused, even if the table does not know it.
func (e CMSError) row() code { return find(cmsCodes, int(e), e < 1 || e > 255) }

// code is a row of a table.
type code struct {
	n         int
	text      string // as modems with AT+CMEE=2 write it; case does not matter
	class     Class
	ambiguous bool // after ^Z the network may have the message
}

func (c code) String() string {
	if c.text == "" {
		return strconv.Itoa(c.n)
	}
	return fmt.Sprintf("%d (%s)", c.n, c.text)
}

// account are the RP causes (TS 24.011 8.2.5.4, told as CMS codes) that an operator
// also gives to a SIM without credit or without SMS in its contract, whatever the
// number: barred, rejected, no such subscriber, out of order, not subscribed, not
// implemented.
var account = []CMSError{8, 10, 21, 28, 29, 38, 50, 69}

// Account says whether the cause may be the sender's account, and not this message.
func (e CMSError) Account() bool { return slices.Contains(account, e) }

// smDuplicate is TP-FCS C5 (TS 23.040 9.2.3.22): rejected as a duplicate.
const smDuplicate CMSError = 197

// Duplicate says that the service centre has the message already.
func (e CMSError) Duplicate() bool { return e == smDuplicate }

// find returns the row of n; a code that the table does not have is ambiguous or not as other says.
func find(table []code, n int, other bool) code {
	i, ok := slices.BinarySearchFunc(table, n, func(c code, n int) int { return cmp.Compare(c.n, n) })
	if !ok {
		return code{n: n, ambiguous: other}
	}
	return table[i]
}

const cmeUnknown, cmsUnknown = 100, 500

// finalError turns a final result into an error, nil for success.
func finalError(l string) error {
	if l == "OK" || l == "0" || strings.HasPrefix(l, "CONNECT") {
		return nil
	}
	if s, ok := strings.CutPrefix(l, "+CME ERROR"); ok {
		n, known := number(s, cmeCodes)
		return coded(CMEError(n), CMEError(cmeUnknown), known, s)
	}
	if s, ok := strings.CutPrefix(l, "+CMS ERROR"); ok {
		n, known := number(s, cmsCodes)
		return coded(CMSError(n), CMSError(cmsUnknown), known, s)
	}
	if l == "4" { // ATV0
		l = "ERROR"
	}
	return FinalError(l)
}

// coded is e, or unknown with the text that is not in the table.
func coded(e, unknown error, known bool, text string) error {
	if known {
		return e
	}
	return fmt.Errorf("%w: %q", unknown, strings.TrimLeft(text, ": "))
}

// number reads ": 10" or ": SIM not inserted".
func number(s string, table []code) (n int, known bool) {
	s = strings.TrimSpace(strings.TrimLeft(s, ": "))
	if n, err := strconv.Atoi(s); err == nil {
		return n, true
	}
	for _, c := range table {
		if strings.EqualFold(s, c.text) {
			return c.n, true
		}
	}
	return 0, false
}

var cmsCodes = []code{
	{1, "unassigned (unallocated) number", Permanent, false},
	{8, "operator determined barring", Permanent, false},
	{10, "call barred", Permanent, false},
	{11, "reserved", Permanent, false},
	{17, "network failure", Temporary, false},
	{21, "short message transfer rejected", Unclear, false},
	{22, "memory capacity exceeded", Temporary, false},
	{27, "destination out of order", Temporary, false},
	{28, "unidentified subscriber", Permanent, false},
	{29, "facility rejected", Permanent, false},
	{30, "unknown subscriber", Permanent, false},
	{38, "network out of order", Temporary, false},
	{41, "temporary failure", Temporary, false},
	{42, "congestion", Temporary, false},
	{47, "resources unavailable", Temporary, false},
	{50, "requested facility not subscribed", Permanent, false},
	{69, "requested facility not implemented", Permanent, false},
	{81, "invalid short message transfer reference value", Temporary, false},
	{95, "semantically incorrect message", Permanent, false},
	{96, "invalid mandatory information", Permanent, false},
	{97, "message type non-existent", Permanent, false},
	{98, "message not compatible with short message protocol state", Temporary, false},
	{99, "information element non-existent", Permanent, false},
	{111, "protocol error, unspecified", Unclear, false},
	{127, "interworking, unspecified", Unclear, false},
	{128, "telematic interworking not supported", Permanent, false},
	{129, "SM type 0 not supported", Permanent, false},
	{130, "cannot replace SM", Permanent, false},
	{143, "unspecified TP-PID error", Permanent, false},
	{144, "DCS (alphabet) not supported", Permanent, false},
	{145, "message class not supported", Permanent, false},
	{159, "unspecified TP-DCS error", Permanent, false},
	{160, "command cannot be actioned", Permanent, false},
	{161, "command unsupported", Permanent, false},
	{175, "unspecified TP-command error", Permanent, false},
	{176, "TPDU not supported", Permanent, false},
	{192, "SC busy", Temporary, false},
	{193, "no SC subscription", Permanent, false},
	{194, "SC system failure", Temporary, false},
	{195, "invalid SME address", Permanent, false},
	{196, "destination SME barred", Permanent, false},
	{197, "SM rejected - duplicate SM", Permanent, false},
	{198, "TP-VPF not supported", Permanent, false},
	{199, "TP-VP not supported", Permanent, false},
	{208, "(U)SIM SMS storage full", Temporary, false},
	{209, "no SMS storage capability in (U)SIM", Permanent, false},
	{210, "error in MS", Unclear, false},
	{211, "memory capacity exceeded (TP-FCS)", Temporary, false},
	{212, "SIM toolkit busy", Temporary, false},
	{213, "SIM data download error", Unclear, false},
	{255, "unspecified error", Unclear, false},
	{300, "ME failure", Unclear, false},
	{301, "SMS service of ME reserved", Temporary, false},
	{302, "operation not allowed", Unclear, false},
	{303, "operation not supported", Permanent, false},
	{304, "invalid PDU mode parameter", Permanent, false},
	{305, "invalid text mode parameter", Permanent, false},
	{310, "SIM not inserted", Operator, false},
	{311, "SIM PIN required", Operator, false},
	{312, "PH-SIM PIN required", Operator, false},
	{313, "SIM failure", Temporary, false},
	{314, "SIM busy", Temporary, false},
	{315, "SIM wrong", Operator, false},
	{316, "SIM PUK required", Operator, false},
	{317, "SIM PIN2 required", Operator, false},
	{318, "SIM PUK2 required", Operator, false},
	{320, "memory failure", Temporary, false},
	{321, "invalid memory index", Permanent, false},
	{322, "memory full", Temporary, false},
	{330, "SMSC address unknown", Operator, false},
	{331, "no network service", Temporary, false},
	{332, "network timeout", Temporary, true},
	{340, "no +CNMA acknowledgement expected", Unclear, false},
	{350, "no answer from the network (vendor)", Unclear, true},
	{500, "unknown error", Unclear, true},
	{512, "no connection to the network, collision or weak signal (vendor)", Temporary, true},
	{513, "lower layer failure, acknowledgement lost (vendor)", Temporary, true},
	{514, "CP error or network congestion (vendor)", Temporary, true},
	{515, "initialisation in progress (vendor)", Temporary, true},
}

// cmeCodes: those that come from the SIM or from the command line are refusals before the radio; what may stand for a
// failure of the network or of anything else is ambiguous.
var cmeCodes = []code{
	{0, "phone failure", Unclear, true},
	{1, "no connection to phone", Unclear, true},
	{2, "phone-adaptor link reserved", Temporary, false},
	{3, "operation not allowed", Unclear, true},
	{4, "operation not supported", Permanent, false},
	{5, "PH-SIM PIN required", Operator, false},
	{6, "PH-FSIM PIN required", Operator, false},
	{7, "PH-FSIM PUK required", Operator, false},
	{10, "SIM not inserted", Operator, false},
	{11, "SIM PIN required", Operator, false},
	{12, "SIM PUK required", Operator, false},
	{13, "SIM failure", Temporary, false},
	{14, "SIM busy", Temporary, false},
	{15, "SIM wrong", Temporary, false},
	{16, "incorrect password", Operator, false},
	{17, "SIM PIN2 required", Operator, false},
	{18, "SIM PUK2 required", Operator, false},
	{20, "memory full", Temporary, false},
	{21, "invalid index", Permanent, false},
	{22, "not found", Unclear, false},
	{23, "memory failure", Temporary, false},
	{24, "text string too long", Permanent, false},
	{25, "invalid characters in text string", Permanent, false},
	{26, "dial string too long", Permanent, false},
	{27, "invalid characters in dial string", Permanent, false},
	{30, "no network service", Temporary, false},
	{31, "network timeout", Temporary, true},
	{32, "network not allowed - emergency calls only", Unclear, false},
	{40, "network personalization PIN required", Operator, false},
	{41, "network personalization PUK required", Operator, false},
	{42, "network subset personalization PIN required", Operator, false},
	{43, "network subset personalization PUK required", Operator, false},
	{44, "service provider personalization PIN required", Operator, false},
	{45, "service provider personalization PUK required", Operator, false},
	{46, "corporate personalization PIN required", Operator, false},
	{47, "corporate personalization PUK required", Operator, false},
	{48, "hidden key required", Operator, false},
	{49, "EAP method not supported", Permanent, false},
	{50, "incorrect parameters", Permanent, false},
	{51, "command implemented but currently disabled", Temporary, false},
	{52, "command aborted by user", Unclear, false},
	{53, "not attached to network due to MT functionality restrictions", Unclear, false},
	{54, "modem not allowed - MT restricted to emergency calls only", Unclear, false},
	{55, "operation not allowed because of MT functionality restrictions", Unclear, false},
	{56, "fixed dial number only allowed - called number is not a fixed dial number", Operator, false},
	{57, "temporarily out of service due to other MT usage", Temporary, true},
	{58, "language/alphabet not supported", Permanent, false},
	{59, "unexpected data value", Permanent, false},
	{60, "system failure", Unclear, true},
	{61, "data missing", Permanent, false},
	{62, "call barred", Permanent, false},
	{63, "message waiting indication subscription failure", Permanent, false},
	{100, "unknown", Unclear, true},
	{103, "illegal MS", Operator, false},
	{106, "illegal ME", Operator, false},
	{107, "GPRS services not allowed", Unclear, false},
	{111, "PLMN not allowed", Unclear, false},
	{112, "location area not allowed", Unclear, false},
	{113, "roaming not allowed in this location area", Unclear, false},
	{126, "operation temporarily not allowed", Temporary, false},
	{132, "service option not supported", Permanent, false},
	{133, "requested service option not subscribed", Permanent, false},
	{134, "service option temporarily out of order", Temporary, true},
	{148, "unspecified GPRS error", Unclear, true},
	{149, "PDP authentication failure", Unclear, false},
	{150, "invalid mobile class", Permanent, false},
	{256, "operation temporarily not allowed (vendor)", Temporary, true},
	{258, "phone is busy (vendor)", Temporary, true},
	{515, "initialisation or command processing in progress (vendor)", Temporary, true},
	{772, "SIM powered down (vendor)", Temporary, true},
}
