package emulator

import (
	"strings"
	"testing"
)

// FuzzHost writes anything to a modem: it must not panic, and ESC and a fresh line must bring it back.
func FuzzHost(f *testing.F) {
	for name := range vocabulary {
		f.Add("AT"+name+"?\rAT"+name+"=?\rAT"+name+"\r", byte(0))
		f.Add("AT"+name+"=1,2,\"x\"\rAT"+name+"=,,\r", byte(1))
	}
	f.Add("AT+CMGS=13\r0001000A917419000020000000\x1a", byte(0))
	f.Add("AT+CMGF=1\rAT+CMGS=\"+4791000001\"\rhi\x1aAT+CMGL=\"ALL\"\r", byte(2))
	f.Add("AT+CMGW=3\r00000000\x1aAT+CMGR=1\rAT+CMSS=1\rA/A/", byte(3))
	profiles := Profiles()
	f.Fuzz(func(t *testing.T, in string, which byte) {
		if len(in) > inputLimit/2 {
			return
		}
		bubble(t, NetworkConfig{}, func(t *testing.T, n *Network) {
			m := n.NewModem(Config{Profile: profiles[int(which)%len(profiles)]})
			h := dial(t, m)
			for _, s := range []string{in, "\r", "\x1b\r"} { // the CR may open one more prompt
				h.write(s)
				after(defaultSlow) // whatever takes its time
				h.settle()
			}
			if got := h.say("AT&FE0Q0V1S3=13S4=10"); !strings.HasSuffix(got, okay) && !strings.Contains(strings.ToUpper(in), "S") &&
				!strings.Contains(strings.ToUpper(in), "QPOWD") {
				t.Errorf("%q: then %q", in, got)
			}
		})
	})
}
