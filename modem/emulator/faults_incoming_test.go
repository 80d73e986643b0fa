package emulator

import (
	"bytes"
	"strings"
	"time"

	"github.com/warthog618/sms"
	"github.com/warthog618/sms/encoding/tpdu"
)

// incomingFaultTests are families 9.
var incomingFaultTests = map[string]func(r *rig, name string){
	"incoming.redelivered": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.p.Send(r.m.Number(), "hi")
		r.heard("\r\n+CMTI: \"ME\",1\r\n")
		r.pass(time.Minute)
		r.heard("\r\n+CMTI: \"ME\",2\r\n")
		r.is(strings.Join(r.texts("ME"), ","), "hi,hi")
		r.pass(time.Hour)
		r.heard("")
	},
	"incoming.parts-reversed": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.p.Send(r.m.Number(), long("a", "b"))
		r.settle()
		r.is(r.texts("ME")[0], "bbbbbbbb")
		other := r.n.NewModem(Config{})
		h := dial(r.t, other)
		h.ok("ATE0")
		h.submit(r.m.Number(), long("c", "d"))
		r.settle()
		r.is(r.texts("ME")[2], "dddddddd")
	},
	"incoming.part-missing": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.p.Send(r.m.Number(), long("a", "b"))
		r.settle()
		r.is(strings.Join(r.texts("ME"), ","), strings.Repeat("a", 153))
	},
	"incoming.part-doubled": func(r *rig, name string) {
		r.fault(name, FaultConfig{Times: 1})
		r.p.Send(r.m.Number(), long("a", "b"))
		r.settle()
		if got := r.texts("ME"); len(got) != 3 || got[0] != got[1] || got[2] != "bbbbbbbb" {
			r.t.Errorf("got %q", got)
		}
	},
	"incoming.ref-reused": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		for range 2 {
			r.p.Send(r.m.Number(), long("a", "b"))
		}
		r.settle()
		for _, s := range r.m.Stored("ME") {
			if !bytes.Contains(s.TPDU, []byte{5, 0, 3, 1, 2}) {
				r.t.Errorf("no reference 1 in %X", s.TPDU)
			}
		}
	},
	"incoming.ref-16bit": func(r *rig, name string) {
		r.fault(name, FaultConfig{})
		r.p.Send(r.m.Number(), long("a", "b"))
		r.settle()
		for i, s := range r.m.Stored("ME") {
			if !bytes.Contains(s.TPDU, []byte{6, 8, 4, 0, 1, 2, byte(i + 1)}) {
				r.t.Errorf("no 16-bit reference in %X", s.TPDU)
			}
		}
	},
	"incoming.class-0": altered(func(r *rig, t *tpdu.TPDU) {
		if c, err := t.DCS.Class(); err != nil || c != tpdu.MClass0 {
			r.t.Errorf("DCS %02X", t.DCS)
		}
	}),
	"incoming.type-0": altered(func(r *rig, t *tpdu.TPDU) {
		if t.PID != typeZero {
			r.t.Errorf("PID %02X", t.PID)
		}
	}),
	"incoming.mwi": altered(func(r *rig, t *tpdu.TPDU) {
		if t.DCS&0xF0 != 0xD0 {
			r.t.Errorf("DCS %02X", t.DCS)
		}
	}),
	"incoming.wap-push": company(1, func(r *rig, s []Slot) {
		if !bytes.Contains(s[0].TPDU, []byte{6, 5, 4, 0x0B, 0x84}) {
			r.t.Errorf("got %X", s[0].TPDU)
		}
	}),
	"incoming.empty": company(1, func(r *rig, s []Slot) {
		if b := s[0].TPDU; b[len(b)-1] != 0 {
			r.t.Errorf("got %X", b)
		}
	}),
	"incoming.locking-shift": company(1, func(r *rig, s []Slot) {
		if !bytes.Contains(s[0].TPDU, []byte{3, 0x25, 1, 1}) {
			r.t.Errorf("got %X", s[0].TPDU)
		}
	}),
	"incoming.single-shift": company(1, func(r *rig, s []Slot) {
		if !bytes.Contains(s[0].TPDU, []byte{3, 0x24, 1, 3}) {
			r.t.Errorf("got %X", s[0].TPDU)
		}
	}),
	"incoming.split-surrogate": company(2, func(r *rig, s []Slot) {
		if !bytes.HasSuffix(s[0].TPDU, []byte{0xD8, 0x3D}) || !bytes.Contains(s[1].TPDU, []byte{0xDE, 0x00, 0, 'b'}) {
			r.t.Errorf("got %X and %X", s[0].TPDU, s[1].TPDU)
		}
	}),
	"incoming.alphanumeric": altered(func(r *rig, t *tpdu.TPDU) { r.is(t.OA.Number(), "Emulator") }),
}

// long is a text of two parts.
func long(first, second string) string { return strings.Repeat(first, 153) + strings.Repeat(second, 8) }

// altered is the test of a fault that changes a message: check sees it, and its text must be there.
func altered(check func(r *rig, t *tpdu.TPDU)) func(r *rig, name string) {
	return func(r *rig, name string) {
		r.fault(name, FaultConfig{Times: 1})
		r.p.Send(r.m.Number(), "hi")
		r.settle()
		s := r.m.Stored("ME")
		if len(s) != 1 {
			r.t.Fatalf("stored %v", s)
		}
		t, err := sms.Unmarshal(s[0].TPDU, sms.AsMT)
		if err != nil {
			r.t.Fatal(err)
		}
		check(r, t)
		r.is(textOf(t), "hi")
	}
}

// company is the test of a fault that sends n odd messages ahead.
func company(n int, check func(r *rig, s []Slot)) func(r *rig, name string) {
	return func(r *rig, name string) {
		r.fault(name, FaultConfig{Times: 1})
		r.p.Send(r.m.Number(), "hi")
		r.settle()
		s := r.m.Stored("ME")
		if len(s) != n+1 {
			r.t.Fatalf("stored %v", s)
		}
		check(r, s)
		r.is(r.texts("ME")[n], "hi")
	}
}
