package emulator

import (
	"bytes"
	"fmt"
	"testing"
)

// BenchmarkSubmit is one message through AT+CMGS, prompt, PDU and answer, with everything at once.
func BenchmarkSubmit(b *testing.B) {
	n := NewNetwork(NetworkConfig{})
	defer n.Close()
	m := n.NewModem(Config{})
	p, err := m.Open()
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 4096)
	until := func(mark string) {
		var got []byte
		for !bytes.HasSuffix(got, []byte(mark)) {
			k, err := p.Read(buf)
			if err != nil {
				b.Fatal(err)
			}
			got = append(got, buf[:k]...)
		}
	}
	do := func(s, mark string) {
		if _, err := p.Write([]byte(s)); err != nil {
			b.Fatal(err)
		}
		until(mark)
	}
	do("ATE0\r", "OK\r\n")
	pdu := "0001000A91741900002000" + "0005E8329BFD06" // no report asked for
	for b.Loop() {
		do(fmt.Sprintf("AT+CMGS=%d\r", len(pdu)/2-1), "> ")
		do(pdu+"\x1a", "OK\r\n")
	}
	if len(n.Record()) == 0 {
		b.Fatal("nothing was sent")
	}
}
