package pdu

// A difference is a vector that upstream reads otherwise than we do.
type difference struct {
	keys   string // as TestVectors prints them
	reason string
}

const (
	lenientText    = "sender and time are readable: what there is of the text is shown and flagged (HOUSE: lenient in)"
	lenientReport  = "the mandatory part of the report is complete (the vectors' own resolution)"
	lenientTime    = "a bad time stamp flags the message, it does not reject it (HOUSE 4)"
	hexIdentifiers = "TS 23.040 9.2.3.24 lists the identifiers in hexadecimal: 24 and 25 are 0x24 and 0x25; upstream sends 24 and 25"
	noTemplates    = "Segment has no free information elements or template; asked for as options, they are out of its scope"
)

// knownDifferences is closed: a difference that is not in it fails, and so does one that has gone.
var knownDifferences = map[string]difference{
	"warthog618-sms/segment_single segment with urdu":         {"udh 0 is [25:0d]", hexIdentifiers},
	"warthog618-sms/segment_single segment with locking urdu": {"udh 0 is [25:0d]", hexIdentifiers},
	"warthog618-sms/segment_single segment with shift urdu":   {"udh 0 is [24:0d]", hexIdentifiers},
	"warthog618-sms/segment_single segment discovered urdu":   {"udh 0 is [25:0d 24:0d]", hexIdentifiers},
	"warthog618-sms/segment_single segment UCS2": {"dcs 0 is 0",
		"upstream sends six octets of UTF-8 under DCS 8: its caller must bring UTF-16; Segment takes text"},
	"warthog618-sms/segment_two segment 7bit with UDH": {
		"ud 0 differs; udh 0 is [00:010201]; ud 1 differs; udh 1 is [00:010202]", noTemplates},
	"warthog618-sms/segment_two segment 7bit with template": {
		"dcs 0 is 0; ud 0 differs; udh 0 is [00:010201]; dcs 1 is 0; ud 1 differs; udh 1 is [00:010202]", noTemplates},

	"warthog618-sms/decode fail": {"accepted: TP-UD: truncated", lenientText},
	"warthog618-sms/SmsCommand underflow da": {"accepted: TP-DA: odd address, TP-CD: truncated",
		"the fill of the odd address is a digit, which is dropped; the command is readable"},
	"warthog618-sms/SmsDeliver bad scts":           {"accepted: TP-SCTS: not a date, TP-UDL: truncated", lenientTime},
	"warthog618-sms/SmsDeliver underflow ud":       {"accepted: TP-UD: truncated", lenientText},
	"warthog618-sms/SmsStatusReport underflow pid": {"accepted: TP-PID: announced but missing", lenientReport},
	"warthog618-sms/SmsStatusReport underflow dcs": {"accepted: TP-DCS: announced but missing", lenientReport},
	"warthog618-sms/SmsStatusReport underflow ud":  {"accepted: TP-UDL: announced but missing", lenientReport},
	"warthog618-sms/SmsSubmit bad vp":              {"accepted: TP-VP: not a date, TP-UD: truncated", lenientTime},
	"warthog618-sms/SmsSubmit underflow ud":        {"accepted: TP-UD: truncated", lenientText},
	"warthog618-sms/SmsSubmitReport bad scts":      {"accepted: TP-FCS: reserved value, TP-SCTS: not a date", lenientTime},
	"warthog618-sms/SmsSubmitReport underflow pid": {
		"accepted: TP-FCS: reserved value, TP-PID: announced but missing", lenientReport},
	"warthog618-sms/SmsSubmitReport underflow dcs": {
		"accepted: TP-FCS: reserved value, TP-DCS: announced but missing", lenientReport},
	"warthog618-sms/SmsSubmitReport underflow ud": {
		"accepted: TP-FCS: reserved value, TP-UDL: announced but missing", lenientReport},

	"modemmanager/test_pdu_insufficient_data": {"accepted: TP-UD: truncated", lenientText},
	"modemmanager/test_pdu_wrong_user_data_elements_size": {
		"accepted: TP-DA: odd address, TP-DCS: reserved bits set, TP-UDH: malformed user data header, TPDU: trailing octets ignored",
		"every mandatory field is there; the header it announces is not, and says so"},
	"modemmanager/test_pdu_wrong_udh": {"accepted: TP-DA: odd address, TP-UDH: malformed user data header",
		"every mandatory field is there; the header it announces is not, and says so"},
	"modemmanager/test_cbm_gsm7bit_with_lang": {"lang is dJ",
		"TS 23.038 clause 5, DCS 0x10: the language is three packed septets; upstream's test has raw octets (the vectors' own resolution)"},
	"modemmanager/test_cbm_ucs2_pad/1": {"text is альнейших указаний.",
		"TS 23.041 9.4.1.2.5: the rest of a page is filled with CR, which is no text; oFono's vectors have it stripped"},
	"libosmocore/oa_alphanumeric_OpenBSCa": {"value is OpenBSCabcd",
		"the expected value is the input of upstream's encoder with a remark; eleven characters of it are in the octets"},
	"python-messaging/odd_length_strict": {"accepted: TP-UD: truncated", lenientText},
}
