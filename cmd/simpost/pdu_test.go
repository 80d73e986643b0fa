package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// vector is a PDU out of another project's tests (pdu/testdata).
type vector struct {
	Name      string          `json:"name"`
	Direction string          `json:"direction"`
	Hex       json.RawMessage `json:"hex"` // a string, or a list for some
	Expected  map[string]any  `json:"expected"`
}

// ways is what --direction is for each kind of PDU.
var ways = map[string]string{
	"deliver": "mt", "status_report": "mt", "submit_report": "mt",
	"submit": "mo", "command": "mo", "deliver_report": "mo",
}

// printed names the keys of `pdu decode --json` by those of the vectors; what the
// command does not print is left out.
var printed = map[string]string{
	"smsc": "smsc", "from": "from", "to": "to", "text": "text", "data": "data", "timestamp": "timestamp",
	"alphabet": "encoding", "class": "class", "concat": "concat", "ports": "ports", "pid": "pid", "dcs": "dcs",
	"mr": "mr", "status": "status", "discharge": "discharge", "vp_minutes": "validity_minutes",
}

// TestOthersPDUs decodes every PDU as a person would: with the direction, and
// without, and never told whether the service centre is in front.
func TestOthersPDUs(t *testing.T) {
	files, err := filepath.Glob("../../pdu/testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var vectors []vector
		if err := json.Unmarshal(raw, &vectors); err != nil {
			continue // of another shape: primitives
		}
		for _, v := range vectors {
			var digits string
			if json.Unmarshal(v.Hex, &digits) != nil || digits == "" || ways[v.Direction] == "" || v.Expected["reject"] == true {
				continue
			}
			tried++
			for _, args := range [][]string{nil, {"--direction", ways[v.Direction]}} {
				t.Run(strings.Join(append([]string{filepath.Base(file), v.Name}, args...), " "), func(t *testing.T) {
					got := decodeJSON(t, append(args, digits))
					// Without a direction, oFono's alphabets are as good a submit as a deliver.
					if want := strings.ReplaceAll(v.Direction, "_", "-"); got["type"] != want && (args != nil || !strings.HasPrefix(v.Name, "sms_charset_")) {
						t.Errorf("type = %v, want %s", got["type"], want)
					}
					compareVector(t, v, got)
				})
			}
		}
	}
	if tried < 100 {
		t.Errorf("%d vectors tried: pdu/testdata has many more", tried)
	}
}

func decodeJSON(t *testing.T, args []string) map[string]any {
	t.Helper()
	var out, errOut bytes.Buffer
	if got := run(append([]string{"pdu", "decode", "--json"}, args...), strings.NewReader(""), &out, &errOut); got != exitOK {
		t.Fatalf("exit status %d: %s", got, errOut.String())
	}
	var d map[string]any
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func compareVector(t *testing.T, v vector, got map[string]any) {
	t.Helper()
	for key, want := range v.Expected {
		name, ok := printed[key]
		if !ok || want == nil {
			continue
		}
		have := got[name]
		switch want := want.(type) {
		case string:
			if key == "data" {
				have = base64Hex(t, have)
			}
			if s, ok := have.(string); !ok || s != want && !(name == "timestamp" && strings.HasPrefix(s, want)) { // some name no zone
				t.Errorf("%s = %v, want %s", name, have, want)
			}
		case map[string]any:
			if !contains(have, want) {
				t.Errorf("%s = %v, want %v", name, have, want)
			}
		default:
			if !reflect.DeepEqual(have, want) {
				t.Errorf("%s = %v, want %v", name, have, want)
			}
		}
	}
}

// contains says whether the object have has all of want.
func contains(have any, want map[string]any) bool {
	object, ok := have.(map[string]any)
	for key, value := range want {
		ok = ok && reflect.DeepEqual(object[key], value)
	}
	return ok
}

func base64Hex(t *testing.T, v any) string {
	t.Helper()
	var raw []byte
	quoted, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(quoted, &raw)
	}
	if err != nil {
		t.Errorf("data = %v: %v", v, err)
	}
	return hex.EncodeToString(raw)
}
