package emulator

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing/synctest"
	"time"
)

// lifeFaultTests are families 10.
var lifeFaultTests = map[string]func(r *rig, name string){
	"life.sim-busy": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.want("AT+CPIN?", "\r\n+CME ERROR: 14\r\n")
		r.want("AT+CPMS?", "\r\n+CMS ERROR: 314\r\n")
		r.pass(10 * time.Second)
		r.want("AT+CPIN?", "\r\n+CPIN: READY\r\n"+okay)
	},
	triesUntold: func(r *rig, name string) {
		r.want("AT+CPINR", "\r\n+CPINR: SIM PIN,3,3\r\n+CPINR: SIM PUK,10,10\r\n"+okay)
		r.fault(name, FaultConfig{})
		r.want("AT+CPINR", "\r\nERROR\r\n")
	},
	cardUntold: func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		for _, cmd := range []string{"AT+CIMI", "AT+CCID", "AT+CRSM=176,12258,0,0,10"} {
			r.want(cmd, "\r\nERROR\r\n")
		}
	},
	"life.cme-515": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		for range 3 {
			r.want("AT+CSQ", "\r\n+CME ERROR: 515\r\n")
		}
		r.want("AT+CSQ", "\r\n+CSQ: 21,99\r\n"+okay)
	},
	"life.silent-reboot": func(r *rig, name string) {
		r.fault(name, FaultConfig{After: 1})
		r.want("AT", okay)
		r.want("AT", "")
		r.want("AT+CNMI?", "AT+CNMI?\r\r\n+CNMI: 0,0,0,0,0\r\n"+okay)
	},
	"life.unplug": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.write("AT\r")
		synctest.Wait()
		if err := <-r.end; !errors.Is(err, ErrUnplugged) {
			r.t.Errorf("read ended with %v", err)
		}
		if _, err := io.WriteString(r.port, "AT\r"); !errors.Is(err, ErrUnplugged) {
			r.t.Errorf("write: %v", err)
		}
		if _, err := r.m.Open(); !errors.Is(err, ErrUnplugged) {
			r.t.Errorf("open: %v", err)
		}
		r.pass(10 * time.Second)
		if dial(r.t, r.m).say("AT") != "AT\r"+okay {
			r.t.Error("not back")
		}
	},
	"life.write-blocks": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		done := make(chan error, 1)
		go func() {
			_, err := io.WriteString(r.port, "AT\r")
			done <- err
		}()
		r.pass(time.Hour)
		select {
		case err := <-done:
			r.t.Errorf("the write ended: %v", err)
		default:
		}
		r.port.Close()
		if err := <-done; err == nil {
			r.t.Error("the write of a closed port ended well")
		}
	},
	"life.deaf": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.want("AT", "")
		r.want("AT", "")
		r.want("AT+CFUN=1,1", okay)
		r.want("AT", "AT\r"+okay)
	},
	"life.deaf-power": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.want("AT", "")
		r.want("AT+CFUN=1,1", "")
		r.m.PowerOff()
		r.m.PowerOn()
		r.want("AT", "AT\r"+okay)
	},
	"life.sleep": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.want("AT", okay)
		r.pass(5 * time.Second)
		r.want("AT", "")
		r.want("AT", okay)
	},
	"life.dtr-hangup": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.port.Close()
		h := dial(r.t, r.m)
		h.want("AT+CNMI?", "AT+CNMI?\r\r\n+CNMI: 0,0,0,0,0\r\n"+okay)
	},
	"life.denied":       registered(3),
	"life.roaming":      registered(5),
	"life.network-lost": registered(2),
	"life.sim-swapped": func(r *rig, name string) {
		before := r.say("AT+CCID")
		r.fault(name, FaultConfig{})
		if after := r.say("AT+CCID"); after == before || !strings.Contains(after, "+CCID: 89") {
			r.t.Errorf("%q, then %q", before, after)
		}
	},
	"life.text-mode": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.m.Reboot()
		r.settle()
		r.ok("ATE0")
		r.want("AT+CMGF?", "\r\n+CMGF: 1\r\n"+okay)
	},
	"life.slow-look": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.is(r.say("AT+COPS=?"), "")
		r.pass(150 * time.Second)
		r.has(r.settle(), "+COPS: (2,")
	},
	"life.smsc-cleared": func(r *rig, name string) {
		r.has(r.say("AT+CSCA?"), `+CSCA: "+47`)
		r.fault(name, FaultConfig{})
		r.ok("AT+CSMP=49,167,0,0")
		r.want("AT+CSCA?", "\r\n+CSCA: \"\",129\r\n"+okay)
		r.is(r.submit(r.p.Number(), "a"), "\r\n+CMS ERROR: 330\r\n")
	},
}

// registered is the test of a fault of registration.
func registered(state int) func(r *rig, name string) {
	return func(r *rig, name string) {
		r.ok("AT+CREG=1")
		r.fault(name, FaultConfig{Delay: time.Minute})
		r.is(r.say("AT"), fmt.Sprintf("\r\n+CREG: %d\r\n", state)+okay)
		r.is(r.say("AT+CREG?"), fmt.Sprintf("\r\n+CREG: 1,%d\r\n", state)+okay)
		r.pass(time.Minute)
		r.heard("\r\n+CREG: 1\r\n")
	}
}
