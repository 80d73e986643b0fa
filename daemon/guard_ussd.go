package daemon

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"simpost/daemon/api"
)

// What may be dialled as USSD. A code is a command to the operator: it may show
// the balance, and it may as well give it away or forward all calls. Nobody can
// know them all, so the role send dials what the configuration lists, and the
// role admin anything of the right shape. Of the codes that the standard itself
// knows (TS 22.030 Annex B), those that change a service must be asked for by
// name, and those that use up the tries of a PIN are never dialled.

var (
	// ussdCode is what a person may dial: from a star or hash to a hash, and nothing that a telephone would call.
	ussdCode = regexp.MustCompile(`^[*#][0-9*#]{1,180}#$`)
	// ussdReply is an answer in a menu.
	ussdReply = regexp.MustCompile(`^[0-9A-Za-z*#+,.:;?!/() -]{1,182}$`)
	// serviceCode is a supplementary service procedure: what is done, service code (TS 22.030 6.5.2).
	serviceCode = regexp.MustCompile(`^(\*\*|\*#|##|\*|#)([0-9]{2,3})[*#]`)
	// interrogate asks and changes nothing.
	interrogate = "*#"

	// pinServices change or unblock PIN and PIN2.
	pinServices = []string{"04", "042", "05", "052"}
	// services is the rest of TS 22.030 Annex B and C: forwarding, waiting, barring and its password, identification, transfer
	// and more.
	services = []string{"002", "004", "21", "61", "62", "67", "43", "03", "33", "330", "331", "332", "333", "35", "351", "353",
		"30", "31", "76", "77", "300", "37", "59", "66", "68", "75", "750", "751", "752", "753", "754", "88", "96", "214", "360", "361", "362", "363"}
)

// codeClass is how dangerous a code is.
type codeClass int

const (
	codePlain codeClass = iota
	codeService
	codePIN
)

func classOfCode(code string) codeClass {
	m := serviceCode.FindStringSubmatch(code)
	switch {
	case m == nil || m[1] == interrogate:
		return codePlain
	case slices.Contains(pinServices, m[2]):
		return codePIN
	case slices.Contains(services, m[2]):
		return codeService
	}
	return codePlain
}

// dial says why code may not be dialled, nil if it may. listed are the codes of
// the configuration.
func (g *guard) dial(code string, service, admin bool, listed []string) *api.Error {
	if !ussdCode.MatchString(code) {
		return api.Errorf(api.CodeInvalid, "code: it begins with * or #, ends with #, and has digits, * and # between them, 182 at most")
	}
	class := classOfCode(code)
	switch {
	case class == codePIN:
		e := api.Errorf(api.CodeForbidden, "this code changes or unblocks a PIN; simpost never dials it")
		e.Hint = "put the SIM card into a phone"
		return e
	case class == codeService && !(service && admin):
		e := api.Errorf(api.CodeForbidden, "this code changes a service of the SIM card, such as call forwarding")
		e.Hint = "to dial it all the same: simpost ussd --service, with the role admin"
		return e
	case admin, slices.Contains(listed, code), g.off():
		return nil
	}
	e := api.Errorf(api.CodeForbidden, "this code is not among those that the role send may dial; the role admin may dial any")
	e.Hint = liftBy(fmt.Sprintf("ussd = [%s]", strconv.Quote(code)))
	return e
}
