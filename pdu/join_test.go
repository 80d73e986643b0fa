package pdu

import (
	"errors"
	"strings"
	"testing"
)

// part is one of a long text, made by hand: senders cut where Segment would not.
func part(dcs DCS, seq, total byte, payload string) UserData {
	return UserData{DCS: dcs, Header: appendConcat(nil, Concat{Ref: 1, Total: total, Seq: seq}), Payload: []byte(payload)}
}

func TestJoin(t *testing.T) {
	for _, v := range []struct {
		name  string
		parts []UserData
		want  string
	}{
		{"nothing", nil, ""},
		{"alone", []UserData{{Payload: []byte("abc")}}, "abc"},
		{"out of order, doubled", []UserData{part(0, 3, 3, "c"), part(0, 1, 3, "a"), part(0, 2, 3, "b"), part(0, 1, 3, "x")}, "abc"},
		{"escape cut in two", []UserData{part(0, 1, 2, "5 \x1b"), part(0, 2, 2, "\x65.")}, "5 €."},
		{"escape cut, the next missing", []UserData{part(0, 1, 3, "5 \x1b"), part(0, 3, 3, "e.")}, "5  e."},
		{"escape at the end", []UserData{part(0, 1, 1, "5\x1b")}, "5 "},
		{"surrogates cut in two", []UserData{part(8, 1, 2, "\x00a\xd8\x3d"), part(8, 2, 2, "\xde\x01\x00b")}, "a😁b"},
		{"surrogates cut, the next missing", []UserData{part(8, 1, 3, "\xd8\x3d"), part(8, 3, 3, "\xde\x01")}, "\uFFFD\uFFFD"},
		{"surrogate alone between parts", []UserData{part(8, 1, 2, "\xd8\x3d"), part(8, 2, 2, "\x00b")}, "\uFFFDb"},
		{"two alphabets", []UserData{part(0, 1, 2, "abc"), part(8, 2, 2, "\x04\x4f")}, "abcя"},
		{"surrogate before another alphabet", []UserData{part(8, 1, 2, "\xd8\x3d"), part(0, 2, 2, "a")}, "\uFFFDa"},
		{"escape before another alphabet", []UserData{part(0, 1, 2, "a\x1b"), part(8, 2, 2, "\x04\x4f")}, "a я"},
		{"odd octet dropped", []UserData{part(8, 1, 2, "\x00a\x00"), part(8, 2, 2, "\x00b")}, "ab"},
	} {
		got, data, err := Join(v.parts)
		if err != nil || got != v.want || data != nil {
			t.Errorf("%s: %q, %x, %v, want %q", v.name, got, data, err, v.want)
		}
	}
	if _, _, err := Join([]UserData{part(0, 1, 2, "a"), part(4, 2, 2, "b")}); !errors.Is(err, errMixed) {
		t.Error(err)
	}
}

func TestJoinKeepsItsInput(t *testing.T) {
	parts := []UserData{part(0, 2, 2, "b"), part(0, 1, 2, "a")}
	if _, _, err := Join(parts); err != nil || string(parts[0].Payload) != "b" {
		t.Errorf("the caller's parts were sorted: %v", err)
	}
}

func TestWaiting(t *testing.T) {
	for _, v := range []struct {
		u    UserData
		want []Waiting
	}{
		{UserData{DCS: 0xC8}, []Waiting{{Kind: 0, Active: true, Count: -1}}},
		{UserData{DCS: 0xD3}, []Waiting{{Kind: 3, Store: true, Count: -1}}},
		{UserData{DCS: 0xEA}, []Waiting{{Kind: 2, Active: true, Store: true, Count: -1}}},
		{UserData{DCS: 0xC8, Header: []byte{1, 2, 0x80, 3, 1, 2, 1, 0}},
			[]Waiting{{Kind: 0, Active: true, Store: true, Count: 3}, {Kind: 1}}},
		{UserData{DCS: 0xF0}, nil},
	} {
		got := v.u.Waiting()
		if len(got) != len(v.want) {
			t.Fatalf("%+v: %+v", v.u, got)
		}
		for i := range got {
			if got[i] != v.want[i] {
				t.Errorf("%+v: %+v, want %+v", v.u, got[i], v.want[i])
			}
		}
	}
}

func TestLogsHideContents(t *testing.T) {
	a := Address{TON: TONInternational, NPI: 1, Digits: "4790000001"}
	name := Address{TON: TONAlphanumeric, Digits: "Telenor"}
	u := UserData{Payload: []byte("secret")}
	f := Frame{TPDU: []byte("secret")}
	logged := a.LogValue().String() + name.LogValue().String() + u.LogValue().String() + f.LogValue().String()
	for _, secret := range []string{"4790", "Telenor", "secret", "736563"} {
		if strings.Contains(logged, secret) {
			t.Errorf("%q is in %q", secret, logged)
		}
	}
}
