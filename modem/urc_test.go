package modem

import (
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
)

// TestTaken says for each line a modem may say by itself what it means to the mail, and that it wakes the session.
func TestTaken(t *testing.T) {
	for name, c := range map[string]struct {
		say  string
		want Taken
	}{
		"message":               {`+CMTI: "ME",3`, Taken{Memories: []string{"ME"}}},
		"message, index -1":     {`+CMTI: "SM",-1`, Taken{Memories: []string{"SM"}}},
		"message, no memory":    {`+CMTI: ,-1`, Taken{Memories: []string{""}}},
		"two messages":          {`+CMTI: "SM",1|+CMTI: "SM",2`, Taken{Memories: []string{"SM"}}},
		"stored report":         {`+CDSI: "SR",50`, Taken{Memories: []string{"SR"}}},
		"report":                {"+CDS: 24|07914356060013F1065A098136395339F6219011700463802190117004638030", Taken{Direct: []Direct{{"CDS", "07914356060013F1065A098136395339F6219011700463802190117004638030", 24}}}},
		"report, empty field":   {"+CDS: ,24|07914356060013F1065A098136395339F6219011700463802190117004638030", Taken{Direct: []Direct{{"CDS", "07914356060013F1065A098136395339F6219011700463802190117004638030", 24}}}},
		"message, shown":        {`+CMT: "Bob",21|` + testPDU, Taken{Direct: []Direct{{"CMT", testPDU, 21}}}},
		"message, no name":      {`+CMT: 21|` + testPDU, Taken{Direct: []Direct{{"CMT", testPDU, 21}}}},
		"full":                  {`^SMMEMFULL: "SM"`, Taken{Full: []string{"SM"}}},
		"full, by indicator":    {`+CIEV: "smsfull",1`, Taken{Full: []string{""}}},
		"call":                  {"RING|+CLIP: \"+4790000002\",145", Taken{Calls: []Ring{{Number: "+4790000002"}}}},
		"call, rung twice":      {"RING|+CLIP: \"+4790000002\",145|RING|+CLIP: \"+4790000002\",145", Taken{Calls: []Ring{{Number: "+4790000002"}, {Number: "+4790000002"}}}},
		"call, withheld":        {"RING|+CLIP: \"\",128,\"\",0,\"\",1", Taken{Calls: []Ring{{}, {}}}},
		"call, over":            {"RING|NO CARRIER", Taken{Calls: []Ring{{}, {Over: true}}}},
		"network":               {"+CREG: 2", Taken{Network: true}},
		"SIM":                   {"^SIMST: 255", Taken{SIM: true}},
		"reboot":                {"RDY", Taken{Rebooted: true}},
		"reboot, at its end":    {"SMS Ready", Taken{Rebooted: true}},
		"reboot, Quectel":       {"+QIND: SMS DONE", Taken{Rebooted: true}},
		"late refusal":          {"+CMS ERROR: 38", Taken{Late: []Evidence{{0, -1, 38, "+CMS ERROR: 38"}}}},
		"late reference":        {"+CMGS: 12", Taken{Late: []Evidence{{0, 12, -1, "+CMGS: 12"}}}},
		"chatter, then message": {`^RSSI: 12|^BOOT:1234,0,0,0,20|+CMTI: "SM",0`, Taken{Memories: []string{"SM"}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t)
				m := s.mustOpen(Config{})
				m.Take()
				s.say(c.say)
				<-m.Wake()
				synctest.Wait()
				if got := m.Take(); !reflect.DeepEqual(got, c.want) {
					t.Errorf("got %+v, want %+v", got, c.want)
				}
				if got := m.Take(); !reflect.DeepEqual(got, Taken{}) {
					t.Errorf("taken twice: %+v", got)
				}
			})
		})
	}
}

func TestChatterDoesNotWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		m := s.mustOpen(Config{})
		s.say("^RSSI: 12|+ZUSIMR:2|^HCSQ:\"LTE\",1,2,3|+CIEV: 2,3|*PSUTTZ: 1|whatever")
		synctest.Wait()
		select {
		case <-m.Wake():
			t.Errorf("woken for %+v", m.Take())
		default:
		}
	})
}

// TestBootThatGoesOn: a modem found starting ends its start after Open; that is not a reboot. The next such line is.
func TestBootThatGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		go s.say("RDY|+CFUN: 1")
		m := s.mustOpen(Config{})
		s.say("Call Ready|SMS Ready")
		synctest.Wait()
		if m.Take().Rebooted {
			t.Error("the end of the start is taken for another one")
		}
		s.say("SMS Ready")
		synctest.Wait()
		if !m.Take().Rebooted {
			t.Error("the silent reboot is not seen")
		}
	})
}

// TestNothingIsUnbounded: nobody takes, the modem talks.
func TestNothingIsUnbounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		m := s.mustOpen(Config{})
		for i := range 2 * maxDirect {
			s.say("+CDS: 24|07914356060013F1065A098136395339F6219011700463802190117004638030")
			s.say(fmt.Sprintf(`+CMTI: "M%d",1`, i))
			s.say(fmt.Sprintf("+CMS ERROR: %d", i))
			synctest.Wait()
		}
		got := m.Take()
		if len(got.Direct) != maxDirect || len(got.Memories) != maxNotes || len(got.Late) != maxEvidence || got.Missed == 0 {
			t.Errorf("%d direct, %d memories, %d late, %d missed", len(got.Direct), len(got.Memories), len(got.Late), got.Missed)
		}
	})
}

// TestPingTellsAReset: the first of CNMI, CMEE and CMGF that the modem told at the start is asked again.
func TestPingTellsAReset(t *testing.T) {
	at := map[string]string{"+CNMI?": "+CNMI: 2,1,0,1,0|OK", "+CMEE?": "+CMEE: 1|OK", "+CMGF?": "+CMGF: 0|OK"}
	for name, c := range map[string]struct {
		without []string // refused from the start
		cmd     string
		later   string
		ok      bool
	}{
		"as it was":          {nil, "+CNMI?", at["+CNMI?"], true},
		"reset":              {nil, "+CNMI?", "+CNMI: 0,0,0,0,0|OK", false},
		"a bare OK":          {nil, "+CNMI?", "OK", false},
		"CMEE, as it was":    {[]string{"+CNMI?"}, "+CMEE?", at["+CMEE?"], true},
		"CMEE, reset":        {[]string{"+CNMI?"}, "+CMEE?", "+CMEE: 0|OK", false},
		"CMGF, as it was":    {[]string{"+CNMI?", "+CMEE?"}, "+CMGF?", at["+CMGF?"], true},
		"CMGF, reset":        {[]string{"+CNMI?", "+CMEE?"}, "+CMGF?", "+CMGF: 1|OK", false},
		"CMGF, only an OK":   {[]string{"+CNMI?", "+CMEE?"}, "+CMGF?", "OK", false},
		"CMGF, nothing more": {[]string{"+CNMI?", "+CMEE?"}, "+CMGF?", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t)
				for _, cmd := range c.without {
					s.answers[cmd] = "ERROR"
				}
				m := s.mustOpen(Config{})
				before := len(s.log())
				s.set(c.cmd, c.later)
				if err := m.Ping(t.Context()); (err == nil) != c.ok {
					t.Errorf("ping: %v", err)
				}
				if s.log()[before] != c.cmd {
					t.Errorf("asked %q", s.log()[before:])
				}
			})
		})
	}
}

func TestRearm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		m := s.mustOpen(Config{})
		if changed, err := m.Rearm(t.Context()); changed || err != nil {
			t.Errorf("nothing was lost: %t, %v", changed, err)
		}
		s.set("+CNMI?", "+CNMI: 2,0,0,0,0|OK")
		if changed, err := m.Rearm(t.Context()); !changed || err != nil || s.count("+CNMI=2,1,0,1,0") != 2 {
			t.Errorf("%t, %v, set %d times", changed, err, s.count("+CNMI=2,1,0,1,0"))
		}
	})
}

func TestResetPrefersTheVendorsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		s.on = remembering()
		m := s.mustOpen(Config{Profile: "huawei"})
		s.set("+CFUN=1,1", "OK")
		if err := m.Reset(t.Context()); err != nil || s.count("^RESET") != 1 || s.count("+CFUN=1,1") != 1 {
			t.Errorf("%v, asked %q", err, s.log()[len(s.log())-2:])
		}
	})
}

func TestStatus(t *testing.T) {
	for name, c := range map[string]struct {
		set  map[string]string
		want Status
	}{
		"home": {map[string]string{"+CREG?": "+CREG: 1,1|OK", "+COPS?": `+COPS: 0,0,"Emulated",7|OK`, "+CSQ": "+CSQ: 20,99|OK"},
			Status{"READY", 1, "home", false, true, false, "Emulated", "lte", -73, 5}},
		"roaming": {map[string]string{"+CREG?": "+CREG: 2,5,\"0001\",\"0002\",2|OK", "+CSQ": "+CSQ: 99,99|OK", "+CESQ": "+CESQ: 99,99,255,255,20,40|OK"},
			Status{"READY", 5, "roaming", true, true, false, "", "umts", -101, 1}},
		"LTE only":    {map[string]string{"+CREG?": "+CREG: 0,0|OK", "+CEREG?": "+CEREG: 0,1|OK"}, Status{"READY", 1, "home", false, true, false, "", "unknown", 0, 0}},
		"SMS only":    {map[string]string{"+CREG?": "+CREG: 0,6|OK"}, Status{"READY", 6, "home_sms_only", false, true, false, "", "unknown", 0, 0}},
		"denied":      {map[string]string{"+CREG?": "+CREG: 0,3|OK", "+CGREG?": "+CGREG: 0,2|OK"}, Status{"READY", 3, "denied", false, false, false, "", "unknown", 0, 0}},
		"RLOS":        {map[string]string{"+CREG?": "+CREG: 0,11|OK"}, Status{"READY", 11, "attached_rlos", false, false, false, "", "unknown", 0, 0}},
		"all refused": {nil, Status{"READY", 4, "unknown", false, false, false, "", "unknown", 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t)
				for k, v := range c.set {
					s.answers[k] = v
				}
				m := s.mustOpen(Config{})
				if got, err := m.Status(t.Context()); err != nil || got != c.want {
					t.Errorf("got %+v, %v\nwant %+v", got, err, c.want)
				}
			})
		})
	}
}

func TestEverySendableState(t *testing.T) {
	for stat := range statusNames {
		want := stat == 1 || stat == 5 || stat == 6 || stat == 7
		if sendable(stat) != want {
			t.Errorf("state %d: %t", stat, sendable(stat))
		}
	}
}

func TestLastMR(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t)
		m := s.mustOpen(Config{})
		s.set("+CRSM=176,28483,0,0,2", `+CRSM: 144,0,"2AFF"|OK`)
		if mr, err := m.LastMR(t.Context()); err != nil || mr != 0x2A {
			t.Errorf("%d, %v", mr, err)
		}
		s.set("+CRSM=176,28483,0,0,2", "+CRSM: 106,130|OK")
		if _, err := m.LastMR(t.Context()); err == nil {
			t.Error("a refusal by the card is no reference")
		}
	})
}
