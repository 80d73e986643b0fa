package pdu

import "fmt"

// Status is TP-ST, what the service centre reports about a message (TS 23.040 9.2.3.15).
type Status byte

// Delivered reports that the recipient's phone has the message. Forwarded without confirmation (1) and replaced (2) are
// final, but not deliveries.
func (s Status) Delivered() bool { return s == 0 || s >= 3 && s < 0x20 }

// Final reports that the service centre is done with the message; while it is false another report may follow.
func (s Status) Final() bool { return s < 0x20 || s >= 0x40 }

// Temporary reports a cause that may pass: either the centre still tries (Final is false), or it gave up (Final is true) and
// sending again later makes sense. Values 80 to FF are reserved and count as 63, "service rejected, gave up".
func (s Status) Temporary() bool { return s >= 0x20 && s < 0x40 || s >= 0x60 }

var statusCause = [...]string{"congestion", "phone busy", "no response from the phone", "service rejected",
	"quality of service not available", "error in the phone"}

var statusPermanent = [...]string{"remote procedure error", "incompatible destination", "rejected by the phone",
	"not obtainable", "quality of service not available", "no interworking available", "validity period expired",
	"deleted by the sender", "deleted by the service centre", "message does not exist"}

// String is a sentence for people.
func (s Status) String() string {
	switch {
	case s == 0:
		return "delivered"
	case s == 1:
		return "forwarded, delivery can not be confirmed"
	case s == 2:
		return "replaced by the service centre"
	case s < 0x10:
		return fmt.Sprintf("completed (reserved code %d)", byte(s))
	case s < 0x20:
		return fmt.Sprintf("completed (centre's own code %d)", byte(s))
	case s < 0x40:
		return s.cause() + ", still trying"
	case s < 0x60:
		return s.permanent()
	case s < 0x80:
		return s.cause() + ", given up"
	}
	return fmt.Sprintf("service rejected, given up (reserved code %d)", byte(s))
}

func (s Status) cause() string {
	if i := int(s & 0x1F); i < len(statusCause) {
		return statusCause[i]
	}
	return s.unnamed("temporary error")
}

func (s Status) permanent() string {
	if i := int(s & 0x1F); i < len(statusPermanent) {
		return statusPermanent[i]
	}
	return s.unnamed("permanent error")
}

func (s Status) unnamed(what string) string {
	if s&0x10 != 0 {
		return fmt.Sprintf("%s (centre's own code %d)", what, byte(s))
	}
	return fmt.Sprintf("%s (reserved code %d)", what, byte(s))
}
