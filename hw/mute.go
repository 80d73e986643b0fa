package hw

// Why a modem offers no terminal.
const (
	CDROMMode   Condition = "cdrom-mode"   // it pretends to be the CD with its Windows driver
	NetworkCard Condition = "network-card" // HiLink and its like: a router, without AT
	NoDriver    Condition = "no-driver"    // no driver of the kernel has taken its ports
)

// cdroms are sticks in their CD-ROM mode whose vendor id is shared with phones and
// drives (usb_modeswitch's device reference).
var cdroms = map[string]bool{
	"05c6:1000": true, "05c6:2001": true, "05c6:f000": true, "0421:0622": true, "0471:1210": true, "1004:1000": true,
	"16d8:6281": true, "20a6:f00e": true, "2357:0200": true, "2357:f000": true, "230d:0001": true,
}

// subclassADB is Android's debugging (class 255), on phones: no port of a modem.
const subclassADB = 0x42

// Mute says why a maker's device has no terminal; "" if it has one, or is no
// modem as far as can be seen, such as a phone.
func (d Device) Mute() Condition {
	switch {
	case len(d.TTYs) > 0 || !d.fromModemMaker() && !cdroms[d.id()]:
		return ""
	case d.idle > 1: // a modem has several ports; one may be a phone's MTP
		return NoDriver
	case d.network:
		return NetworkCard
	case d.storage:
		return CDROMMode
	}
	return ""
}
