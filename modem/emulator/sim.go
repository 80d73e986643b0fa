package emulator

import "fmt"

// What a new card allows (TS 31.101): three tries for the PIN, ten for the PUK.
const (
	pinTries = 3
	pukTries = 10
)

// noSMSC as SIM.SMSC is a card that names no service centre.
const noSMSC = "none"

// Contact is an entry of a card's phonebook, at its index from 1; an empty one is a free place.
type Contact struct{ Number, Name string }

// SIM is a card. The zero value works: numbers are made up when it enters a network. The exported fields are read once,
// at that moment.
type SIM struct {
	Number string // its telephone number, +47...
	IMSI   string
	ICCID  string
	PIN    string    // "" is a card without a PIN
	PUK    string    // default 12345678
	SMSC   string    // default the network's; "none" for a card that names none
	Slots  int       // places for messages; default the modem profile's
	Book   []Contact // the phonebook

	n        *Network
	modem    *Modem // where it is; nil in the drawer
	mem      *memory
	smsc     string
	pin      string
	pinLeft  int
	pukLeft  int
	lock     bool // asks for the PIN when powered
	unlocked bool
	lastMR   byte // EF_SMSS byte 1, Last Used TP-MR (TS 31.102 4.2.9)
}

// adopt gives the card what it lacks and tells the network its number. The lock is held.
func (s *SIM) adopt(n *Network, slots int) {
	if s.n == n {
		return
	}
	s.n = n
	serial := len(n.subs) + 1
	def := func(p *string, v string) {
		if *p == "" {
			*p = v
		}
	}
	def(&s.Number, n.freeNumber("9000"))
	def(&s.IMSI, fmt.Sprintf("%s%s%010d", n.cfg.MCC, n.cfg.MNC, serial))
	def(&s.ICCID, luhn(fmt.Sprintf("89%s%s%012d", n.cfg.CountryCode, n.cfg.MNC, serial)))
	def(&s.PUK, "12345678")
	def(&s.SMSC, n.cfg.SMSC)
	if s.Slots <= 0 {
		s.Slots = slots
	}
	s.mem = newMemory("SM", s.Slots)
	if s.SMSC == noSMSC {
		s.SMSC = ""
	}
	s.smsc, s.pin, s.pinLeft, s.pukLeft, s.lock, s.lastMR = s.SMSC, s.PIN, pinTries, pukTries, s.PIN != "", 0xFF
	n.subscriber(s.Number).sim = s
}

// freeNumber makes up a number nobody has.
func (n *Network) freeNumber(prefix string) string {
	for i := len(n.subs) + 1; ; i++ {
		number := fmt.Sprintf("+%s%s%04d", n.cfg.CountryCode, prefix, i)
		if n.subs[n.canonical(number)] == nil {
			return number
		}
	}
}

// luhn appends the check digit of ISO/IEC 7812.
func luhn(d string) string {
	sum := 0
	for i := range len(d) {
		v := int(d[len(d)-1-i] - '0')
		if i%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return d + string(rune('0'+(10-sum%10)%10))
}

// reset is what losing power does to a card.
func (s *SIM) reset() { s.unlocked = !s.lock }

// state is the answer to AT+CPIN?.
func (s *SIM) state() string {
	switch {
	case s.pinLeft == 0:
		return "SIM PUK"
	case !s.unlocked:
		return "SIM PIN"
	}
	return "READY"
}

// verify tries a PIN and counts the tries.
func (s *SIM) verify(pin string) bool {
	switch {
	case s.pinLeft == 0:
		return false
	case pin != s.pin:
		s.pinLeft--
		if s.pinLeft == 0 {
			s.unlocked = false
		}
		return false
	}
	s.pinLeft, s.unlocked = pinTries, true
	return true
}

// unblock sets a new PIN with the PUK.
func (s *SIM) unblock(puk, pin string) bool {
	switch {
	case s.pukLeft == 0:
		return false
	case puk != s.PUK:
		s.pukLeft--
		return false
	}
	s.pin, s.pinLeft, s.pukLeft, s.unlocked = pin, pinTries, pukTries, true
	return true
}
