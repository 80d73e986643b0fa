package pdu

import "errors"

// USSD strings of modems that want them packed share the septets of SMS, but not the filling (TS 23.038 6.1.2.3.1): seven
// spare bits would read as an '@', so they hold a CR.

var errUSSD = errors.New("a USSD string holds characters of the GSM alphabet only")

// PackUSSD packs text into octets.
func PackUSSD(text string) ([]byte, error) {
	septets, ok := plainCoding.appendSeptets(nil, text)
	if !ok {
		return nil, errUSSD
	}
	return packUSSD(septets), nil
}

// UnpackUSSD reads packed octets, without the filling.
func UnpackUSSD(b []byte) string { return gsm7Text(unpackUSSD(b), 0, 0) }

func packUSSD(septets []byte) []byte {
	n := len(septets)
	b := appendPacked(nil, septets, 0)
	switch {
	case n%8 == 7:
		b[len(b)-1] |= '\r' << 1
	case n > 0 && n%8 == 0 && septets[n-1] == '\r':
		b = append(b, '\r') // a CR that is meant must not look like filling
	}
	return b
}

func unpackUSSD(b []byte) []byte {
	septets := appendUnpacked(nil, b, 0, len(b)*8/7)
	n := len(septets)
	switch {
	case n > 0 && n%8 == 0 && septets[n-1] == '\r':
		return septets[:n-1]
	case n > 1 && n%8 == 1 && septets[n-1] == '\r' && septets[n-2] == '\r':
		return septets[:n-1]
	}
	return septets
}
