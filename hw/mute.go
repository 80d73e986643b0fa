package hw

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
)

// Mute is a USB device that is a modem and offers no terminal.
type Mute struct {
	USB     string // its place, such as 1-1.2
	ID      string // vendor:product in hex
	Name    string // what it calls itself, else its maker
	Because Condition
}

// Why a modem offers no terminal.
const (
	CDROMMode   Condition = "cdrom-mode"   // it pretends to be the CD with its Windows driver
	NetworkCard Condition = "network-card" // HiLink and its like: a router, without AT
	NoDriver    Condition = "no-driver"    // no kernel driver has taken its ports
)

// makers are the vendor ids under which little else than modems is sold.
var makers = map[string]string{
	"0681": "Siemens", "0af0": "Option", "1199": "Sierra Wireless", "12d1": "Huawei", "1410": "Novatel",
	"1546": "u-blox", "19d2": "ZTE", "1bbb": "Alcatel", "1bc7": "Telit", "1c9e": "Longcheer", "1e0e": "SIMCom",
	"1e2d": "Cinterion", "2c7c": "Quectel", "2cb7": "Fibocom", "3566": "Brovi",
}

// cdroms are sticks in their CD-ROM mode whose vendor id is shared with phones and
// drives (usb_modeswitch's device reference).
var cdroms = map[string]string{
	"05c6:1000": "Qualcomm", "05c6:2001": "Qualcomm", "05c6:f000": "Qualcomm", "0421:0622": "Nokia", "0471:1210": "Philips",
	"1004:1000": "LG", "16d8:6281": "C-motech", "20a6:f00e": "StrongRising", "2357:0200": "TP-Link", "2357:f000": "TP-Link",
	"230d:0001": "Linktop",
}

// Classes of interfaces (usb.org, defined class codes).
const (
	classComm     = "02"
	classStorage  = "08"
	classWireless = "e0"
	classVendor   = "ff"

	subclassADB = "42" // Android's debugging, on phones: no port of a modem
)

// Mutes lists the modems that are attached and can't be used as they are.
func (h *Hands) Mutes() []Mute {
	var all []Mute
	for _, name := range h.glob("sys/bus/usb/devices/*/idVendor") {
		if m, ok := h.mute(filepath.Dir(name)); ok {
			all = append(all, m)
		}
	}
	return all
}

func (h *Hands) mute(dir string) (Mute, bool) {
	m := Mute{USB: filepath.Base(dir), ID: word(filepath.Join(dir, "idVendor")) + ":" + word(filepath.Join(dir, "idProduct"))}
	maker := cmp.Or(makers[m.ID[:min(4, len(m.ID))]], cdroms[m.ID])
	if maker == "" {
		return m, false
	}
	m.Name = cmp.Or(word(filepath.Join(dir, "product")), maker)
	if !strings.Contains(strings.ToLower(m.Name), strings.ToLower(maker)) {
		m.Name = maker + " " + m.Name
	}
	m.Because = muteness(dir)
	return m, m.Because != ""
}

// muteness looks at the interfaces of a device; "" where one has a terminal, or
// where they say nothing.
func muteness(dir string) Condition {
	var classes []string
	network, idle := false, 0
	faces, _ := filepath.Glob(filepath.Join(dir, filepath.Base(dir)+":*"))
	for _, face := range faces {
		if has(face, "tty*") || has(face, "tty/tty*") {
			return ""
		}
		class := word(filepath.Join(face, "bInterfaceClass"))
		classes = append(classes, class)
		network = network || has(face, "net/*")
		if class == classVendor && !has(face, "driver") && word(filepath.Join(face, "bInterfaceSubClass")) != subclassADB {
			idle++
		}
	}
	switch {
	case len(classes) == 0:
		return ""
	case idle > 1: // a modem has several ports; one may be a phone's MTP
		return NoDriver
	case network, slices.Contains(classes, classWireless), slices.Contains(classes, classComm):
		return NetworkCard
	case slices.Contains(classes, classStorage):
		return CDROMMode
	}
	return ""
}

func has(dir, pattern string) bool {
	found, _ := filepath.Glob(filepath.Join(dir, pattern))
	return len(found) > 0
}
