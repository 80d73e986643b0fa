// Package pdu reads and writes SMS transport PDUs (3GPP TS 23.040), their alphabets (TS 23.038) and the hexadecimal frame
// a modem in PDU mode exchanges them in (TS 27.005).
//
// It is called by modem (frames to and from the wire), by daemon (what to send, what came in, what a report says) and by
// `simpost pdu`. All of it is pure functions on bytes: no I/O, no clock, no goroutine; every function may be called from any
// goroutine, and values may be shared as long as nobody changes them.
//
// The codec is lenient in and strict out. Decoding refuses only what lacks a readable mandatory field; whatever else is odd
// is kept and named in the Flags of the decoded value. Encoding refuses what the standards do not allow.
//
// What a reader would get wrong: the type of a TPDU is not in its octets. TP-MTI 01 is an SMS-SUBMIT on its way to the
// network and an SMS-SUBMIT-REPORT on its way back, which is why there are DecodeMO and DecodeMT. And a part's user data is
// kept as the septets or octets it had on the air ([UserData.Payload]); text is made of it only by [UserData.Text] and [Join],
// because a character may be cut in two by a part boundary.
package pdu
