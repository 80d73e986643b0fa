package modem

import (
	"testing"

	"simpost/modem/emulator"
)

// On a modem without latency: what a message costs here, and how many commands.

func BenchmarkOpen(b *testing.B) {
	n := emulator.NewNetwork(emulator.NetworkConfig{})
	defer n.Close()
	e := n.NewModem(emulator.Config{})
	for b.Loop() {
		port, err := e.Open()
		if err != nil {
			b.Fatal(err)
		}
		m, err := Open(b.Context(), port, Config{})
		if err != nil {
			b.Fatal(err)
		}
		m.Close()
	}
	b.ReportMetric(float64(e.Commands())/float64(b.N), "commands/op")
}

func BenchmarkSend(b *testing.B) {
	n := emulator.NewNetwork(emulator.NetworkConfig{})
	defer n.Close()
	e := n.NewModem(emulator.Config{})
	port, err := e.Open()
	if err != nil {
		b.Fatal(err)
	}
	m, err := Open(b.Context(), port, Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	f := frame(b)
	before := e.Commands()
	for b.Loop() {
		if _, err := m.Send(b.Context(), f, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(e.Commands()-before)/float64(b.N), "commands/op")
}
