package daemon

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/user"
	"slices"
	"strings"
	"testing"

	"simpost/configs"
	"simpost/daemon/api"
)

// testDoor is the door of the default configuration.
func testDoor(uid, gid uint32) door {
	d, err := newDoor(uid, gid, configs.Default().Roles)
	if err != nil {
		panic(err)
	}
	return d
}

func TestWhoHasWhichRoles(t *testing.T) {
	member := configs.Default().Roles
	for name, c := range map[string]struct {
		roles configs.Roles
		peer  peer
		want  role
	}{
		"root, no roles configured":     {configs.Roles{}, peer{UID: 0, Known: true}, allRoles},
		"the daemon's user":             {configs.Roles{}, peer{UID: testUID, Known: true}, allRoles},
		"a member by default":           {member, peer{UID: 2000, GID: testUID, Known: true}, roleSend | roleReadStatus | roleReadContent},
		"a supplementary member":        {member, peer{UID: 2000, GID: 2, Groups: []uint32{4, testUID}, Known: true}, roleSend | roleReadStatus | roleReadContent},
		"a stranger":                    {member, peer{UID: 2000, GID: 2000, Known: true}, 0},
		"root, says who?":               {member, peer{UID: 0, GID: testUID}, 0},
		"nobody":                        {member, peer{}, 0},
		"one user":                      {configs.Roles{Send: "2000"}, peer{UID: 2000, GID: 5, Known: true}, roleSend},
		"a group's number is no user's": {configs.Roles{Send: "@2000"}, peer{UID: 2000, GID: 5, Known: true}, 0},
		"a user's number is no group's": {configs.Roles{Send: "2000"}, peer{UID: 5, GID: 2000, Groups: []uint32{2000}, Known: true}, 0},
		"several":                       {configs.Roles{Send: "7 @2000 9", ReadStatus: "9"}, peer{UID: 9, GID: 5, Groups: []uint32{2000}, Known: true}, roleSend | roleReadStatus},
		"admin is everything":           {configs.Roles{Admin: "@8"}, peer{UID: 9, GID: 8, Known: true}, allRoles},
		"a name":                        {configs.Roles{ReadStatus: "root"}, peer{UID: 0, Known: true}, allRoles},
		"a group's name":                {configs.Roles{ReadStatus: "@root"}, peer{UID: 2000, GID: 0, Known: true}, roleReadStatus},
	} {
		d, err := newDoor(testUID, testUID, c.roles)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := d.roles(c.peer); got != c.want {
			t.Errorf("%s: roles %04b, want %04b", name, got, c.want)
		}
	}
}

// A name that is not known here must not end as a role that nobody has, or that
// another has.
func TestRolesOfNobody(t *testing.T) {
	for word, want := range map[string]string{
		"no-such-user":  "roles.send: there is no user no-such-user",
		"@no-such-user": "roles.send: there is no group no-such-user",
		"4294967296":    "roles.send: 4294967296: value out of range",
	} {
		_, err := newDoor(1, 1, configs.Roles{Send: word})
		if e := asAPIError(t, err); e.Code != api.CodeConfig || e.Message != want {
			t.Errorf("%s: %+v, want %q", word, e, want)
		}
	}
}

// Every operation has its row in the table, and every row its operation.
func TestEveryRouteHasARight(t *testing.T) {
	a := newTestAPI(t)
	var doc struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(a.spec(), &doc); err != nil {
		t.Fatal(err)
	}
	routes := []string{"GET /openapi.json", "GET /openapi.yaml"}
	for path, methods := range doc.Paths {
		for method := range methods {
			routes = append(routes, strings.ToUpper(method)+" "+path)
		}
	}
	for _, r := range routes {
		if _, ok := rights[r]; !ok {
			t.Errorf("%s has no right", r)
		}
	}
	for r := range rights {
		if !slices.Contains(routes, r) {
			t.Errorf("nothing is at %s", r)
		}
	}
	if rightTo("GET /something/new") != roleAdmin {
		t.Error("an unknown route is open")
	}
}

// Each operation with each single role: those that lack the one it takes are told
// which, and the line that gives it.
func TestRightsOfEveryRoute(t *testing.T) {
	const person = 2000
	for _, row := range roleTable {
		roles := map[string]*string{}
		cfg := configs.Roles{}
		roles["send"], roles["read_status"], roles["read_content"], roles["admin"] = &cfg.Send, &cfg.ReadStatus, &cfg.ReadContent, &cfg.Admin
		*roles[row.key] = "2000"
		a := newTestAPI(t, func(d *apiDeps) { d.Door, _ = newDoor(testUID, testUID, cfg) })
		a.who = peer{UID: person, GID: person, Known: true}
		for pattern, need := range rights {
			method, path, _ := strings.Cut(pattern, " ")
			path = strings.NewReplacer("{id}", "1", "{name}", "office", "/v1/events", "/v1/events?follow=false").Replace(path)
			r := a.ask(method, path, "")
			may := row.role == roleAdmin || need == 0 || need == row.role
			if (r.status != http.StatusForbidden) != may {
				t.Errorf("%s with the role %s: %d %s", pattern, row.key, r.status, r.body)
			}
			if may {
				continue
			}
			p := r.problem(t)
			key := roleTable[slices.IndexFunc(roleTable, func(row roleRow) bool { return row.role == need })].key
			if !strings.HasSuffix(p.Detail, "it takes the role "+strings.ReplaceAll(key, "_", "-")) ||
				!strings.HasPrefix(p.Hint, key+fmt.Sprintf(" = %q below [roles]", userName(person))) {
				t.Errorf("%s: %q, hint %q", pattern, p.Detail, p.Hint)
			}
		}
	}
}

// A peer that may read states sees neither texts nor numbers, wherever a message
// is shown, and can't ask for a number either.
func TestContentIsVeiled(t *testing.T) {
	a := newTestAPI(t)
	id := a.send("+4790000017", "the code is 314159").ID
	a.set(func() {
		a.who = peer{UID: 2000, Known: true}
	})
	a.Door, _ = newDoor(testUID, testUID, configs.Roles{Send: "2000", ReadStatus: "2000"})
	a.http.CloseIdleConnections() // a connection keeps the peer it began with
	for _, ask := range [][3]string{
		{"GET", "/v1/messages"}, {"GET", "/v1/messages/" + id}, {"GET", "/v1/events?follow=false"},
		{"POST", "/v1/messages", `{"to":["+4790000017"],"text":"the code is 314159"}`},
		{"DELETE", "/v1/messages/" + id},
	} {
		r := a.ask(ask[0], ask[1], ask[2])
		body := string(r.body)
		if r.status >= 300 || strings.Contains(body, "314159") || strings.Contains(body, "0000017") {
			t.Errorf("%s %s: %d %s", ask[0], ask[1], r.status, body)
		}
		if ask[1] != "/v1/events?follow=false" && !strings.Contains(body, `"to":"***17"`) {
			t.Errorf("%s %s shows no recipient: %s", ask[0], ask[1], body)
		}
	}
	if r := a.ask("GET", "/v1/messages?number=%2B4790000017", ""); r.status != http.StatusForbidden {
		t.Errorf("a filter by number: %d %s", r.status, r.body)
	}
}

func TestMask(t *testing.T) {
	for in, want := range map[string]string{"": "", "7": "***", "42": "***2", "1890": "***90", "+4790000001": "***01", "Bank": "***nk", "Bæøå": "***øå"} {
		if got := mask(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// Where the group of the socket has no role, joining it is no help.
func TestStrangersHint(t *testing.T) {
	d, err := newDoor(1, 1, configs.Roles{Send: "2000"})
	if err != nil {
		t.Fatal(err)
	}
	if e := d.refuses(peer{UID: 3, Known: true}, 0); e == nil || !strings.Contains(e.Hint, "[roles]") {
		t.Errorf("%+v", e)
	}
	if u, err := user.LookupId("0"); err == nil && userName(0) != u.Username {
		t.Errorf("root is %q", userName(0))
	}
	if got := userName(4294967294); got != "4294967294" {
		t.Errorf("a user without a name is %q", got)
	}
}
