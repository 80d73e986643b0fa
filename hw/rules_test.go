package hw

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"simpost/configs"
)

// ruled are the udev rules that call a USB device a modem, vendor by vendor.
type ruled map[string][]productRule

// productRule is of which products a rule speaks.
type productRule struct{ only, without string }

// parseRules reads the rules that set SIMPOST_MODEM by vendor and product.
func parseRules(t *testing.T, rules string) ruled {
	t.Helper()
	term := regexp.MustCompile(`(ATTRS\{idVendor\}|ATTRS\{idProduct\})(==|!=)"([^"]*)"`)
	all := ruled{}
	for line := range strings.Lines(rules) {
		if !strings.Contains(line, `ENV{SIMPOST_MODEM}="1"`) || strings.HasPrefix(line, "#") {
			continue
		}
		var vendors string
		r := productRule{only: "*"}
		for _, m := range term.FindAllStringSubmatch(line, -1) {
			switch m[1] + m[2] {
			case "ATTRS{idVendor}==":
				vendors = m[3]
			case "ATTRS{idProduct}==":
				r.only = m[3]
			case "ATTRS{idProduct}!=":
				r.without = m[3]
			default:
				t.Fatalf("a rule for all vendors but some: %s", line)
			}
		}
		for vendor := range strings.SplitSeq(vendors, "|") {
			all[vendor] = append(all[vendor], r)
		}
	}
	return all
}

func (r ruled) has(vendor, product string) bool {
	return slices.ContainsFunc(r[vendor], func(p productRule) bool { return among(p.only, product) && !among(p.without, product) })
}

// among says whether a product is one of udev's patterns, which are the shell's.
func among(patterns, product string) bool {
	return slices.ContainsFunc(strings.Split(patterns, "|"), func(pattern string) bool {
		ok, _ := path.Match(pattern, product)
		return ok
	})
}

// TestUdevRulesKnowTheModems: what is used as a modem belongs to the daemon's group
// and not to ModemManager, and nothing else does.
func TestUdevRulesKnowTheModems(t *testing.T) {
	rules := parseRules(t, configs.UdevRules)
	for id, m := range models() {
		vendor, product, _ := strings.Cut(id, ":")
		if rules.has(vendor, product) == m.none {
			t.Errorf("%s: by the udev rules a modem is %v, by the table of models %v", id, m.none, !m.none)
		}
	}
	// A product that is in no table. u-blox makes more receivers of positions than modems.
	const unknown = "fff0"
	for vendor, name := range makers {
		if !rules.has(vendor, unknown) && name != "u-blox" {
			t.Errorf("the udev rules do not know all of %s (%s)", name, vendor)
		}
	}
	if rules.has("1546", "01a9") || rules.has("05c6", "0001") || rules.has("0403", "6001") {
		t.Error("the udev rules take receivers of positions, telephones or any adapter for modems")
	}
	for _, vendor := range slices.Sorted(maps.Keys(rules)) {
		listed := slices.ContainsFunc(slices.Collect(maps.Keys(models())), func(id string) bool { return strings.HasPrefix(id, vendor+":") })
		if makers[vendor] == "" && !listed {
			t.Errorf("the udev rules know a vendor %s that makes no modem", vendor)
		}
	}
}
