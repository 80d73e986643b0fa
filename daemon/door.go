package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"simpost/configs"
	"simpost/daemon/api"
)

// What a peer may do. Root and the daemon's own user may do everything; what else
// anybody may do is in [roles] of the configuration, and what is not there is
// refused: a peer that cannot be identified has no role, and an operation that
// the table of rights does not know takes the role admin.

// role is a set of roles; the zero value is none.
type role uint8

const (
	roleSend role = 1 << iota
	roleReadStatus
	roleReadContent
	roleAdmin

	allRoles = roleSend | roleReadStatus | roleReadContent | roleAdmin
)

// roleTable is the roles in the order of the configuration.
var roleTable = []roleRow{
	{roleSend, "send", func(r configs.Roles) string { return r.Send }},
	{roleReadStatus, "read_status", func(r configs.Roles) string { return r.ReadStatus }},
	{roleReadContent, "read_content", func(r configs.Roles) string { return r.ReadContent }},
	{roleAdmin, "admin", func(r configs.Roles) string { return r.Admin }},
}

type roleRow struct {
	role role
	key  string // below [roles]
	of   func(configs.Roles) string
}

// rights is the role that each operation takes. Who has any role at all may read
// the document.
var rights = map[string]role{
	"POST /v1/messages":                roleSend,
	"DELETE /v1/messages/{id}":         roleSend,
	"POST /v1/messages/{id}/resolve":   roleSend,
	"POST /v1/segment":                 roleSend,
	"GET /v1/messages":                 roleReadStatus,
	"GET /v1/messages/{id}":            roleReadStatus,
	"GET /v1/events":                   roleReadStatus,
	"GET /v1/broadcasts":               roleReadStatus,
	"GET /v1/modems/{name}/signal":     roleReadStatus,
	"GET /v1/modems":                   roleReadStatus,
	"GET /v1/modems/{name}":            roleReadStatus,
	"GET /v1/status":                   roleReadStatus,
	"GET /healthz":                     roleReadStatus,
	"GET /readyz":                      roleReadStatus,
	"POST /v1/backup":                  roleAdmin,
	"POST /v1/modems/{name}/at":        roleAdmin,
	"GET /v1/modems/{name}/sim":        roleReadStatus,
	"GET /v1/modems/{name}/phonebook":  roleReadContent,
	"PUT /v1/modems/{name}/smsc":       roleAdmin,
	"POST /v1/modems/{name}/operators": roleAdmin,
	"PUT /v1/modems/{name}/operator":   roleAdmin,
	"POST /v1/modems/{name}/ussd":      roleSend, // what the guard lists; all else takes admin
	"GET /openapi.json":                0,
	"GET /openapi.yaml":                0,
}

// door decides who may come in, and what they may do there.
type door struct {
	UID     uint32 // the daemon's own user
	GID     uint32 // the socket's group
	Roles   configs.Roles
	holders map[role]holders
}

// holders has a role.
type holders struct{ users, groups []uint32 }

// newDoor looks up whom the configuration names. A name that the system does not
// know is an error: left out, it would shut out who is meant to come in.
func newDoor(uid, gid uint32, roles configs.Roles) (door, error) {
	d := door{UID: uid, GID: gid, Roles: roles, holders: map[role]holders{}}
	for _, row := range roleTable {
		var h holders
		for _, word := range strings.Fields(row.of(roles)) {
			if err := h.add(word, gid); err != nil {
				return door{}, api.Errorf(api.CodeConfig, "roles.%s: %v", row.key, err)
			}
		}
		d.holders[row.role] = h
	}
	return d, nil
}

// add takes up one word of the configuration.
func (h *holders) add(word string, socketGroup uint32) error {
	name, isGroup := strings.CutPrefix(word, "@")
	var id uint32
	var err error
	switch {
	case word == configs.SocketGroup:
		id = socketGroup
	case isGroup:
		id, err = idOf(name, "group", func() (string, error) {
			g, err := user.LookupGroup(name)
			if err != nil {
				return "", err
			}
			return g.Gid, nil
		})
	default:
		id, err = idOf(name, "user", func() (string, error) {
			u, err := user.Lookup(name)
			if err != nil {
				return "", err
			}
			return u.Uid, nil
		})
	}
	if isGroup {
		h.groups = append(h.groups, id)
	} else {
		h.users = append(h.users, id)
	}
	return err
}

// idOf is a number as it stands, or what lookup finds under a name.
func idOf(name, kind string, lookup func() (string, error)) (uint32, error) {
	text := name
	if strings.Trim(name, "0123456789") != "" {
		var err error
		if text, err = lookup(); err != nil {
			return 0, fmt.Errorf("there is no %s %s", kind, name)
		}
	}
	id, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, errors.Unwrap(err))
	}
	return uint32(id), nil
}

func (h holders) include(p peer) bool {
	return slices.Contains(h.users, p.UID) || slices.Contains(h.groups, p.GID) ||
		slices.ContainsFunc(p.Groups, func(g uint32) bool { return slices.Contains(h.groups, g) })
}

// roles is everything that p may do: the one place that decides it.
func (d door) roles(p peer) role {
	if !p.Known {
		return 0
	}
	if p.UID == 0 || p.UID == d.UID || d.holders[roleAdmin].include(p) {
		return allRoles
	}
	var has role
	for r, h := range d.holders {
		if h.include(p) {
			has |= r
		}
	}
	return has
}

// refuses says why p may not do what takes the role need, nil if it may. need 0
// is any role at all.
func (d door) refuses(p peer, need role) *api.Error {
	has := d.roles(p)
	switch {
	case has == 0:
		return d.stranger(p)
	case has&need == need:
		return nil
	}
	row := roleTable[slices.IndexFunc(roleTable, func(row roleRow) bool { return row.role == need })]
	e := api.Errorf(api.CodeForbidden, "user %d may not do this: it takes the role %s", p.UID, strings.ReplaceAll(row.key, "_", "-"))
	line := strings.TrimSpace(row.of(d.Roles) + " " + userName(p.UID))
	e.Hint = fmt.Sprintf("%s = %q below [roles] in the configuration gives it, after a restart of the daemon", row.key, line)
	return e
}

// stranger is what a peer reads who has no role.
func (d door) stranger(p peer) *api.Error {
	e := api.Errorf(api.CodeForbidden, "user %d may not use this daemon", p.UID)
	group := strconv.FormatUint(uint64(d.GID), 10)
	if g, err := user.LookupGroupId(group); err == nil {
		group = g.Name
	}
	e.Hint = fmt.Sprintf("become a member of the group %s (usermod -aG %s YOU, as root) and log in again", group, group)
	if d.roles(peer{GID: d.GID, UID: ^uint32(0), Known: true}) == 0 { // its members may do nothing either
		e.Hint = "[roles] in the configuration says who may do what"
	}
	return e
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	u, err := user.LookupId(id)
	if err != nil {
		return id
	}
	return cmp.Or(u.Username, id)
}

// rightTo is the role that an operation takes, by the pattern it is routed by.
func rightTo(pattern string) role {
	need, known := rights[pattern]
	if !known {
		return roleAdmin
	}
	return need
}

// veil takes out of a message what only the role read-content may see.
func veil(m *api.Message) {
	m.Text, m.Data = nil, nil
	m.To, m.From = mask(m.To), mask(m.From)
	for i := range m.Reports {
		m.Reports[i].Number = mask(m.Reports[i].Number)
	}
}

// veilEvent does it to an event. A broadcast is said to everybody.
func veilEvent(e *api.Event) {
	e.Number = mask(e.Number)
	if e.Type != api.EventBroadcast {
		e.Text = ""
	}
}

// veilModems does it to modems: an operator may say more than the amount.
func veilModems(modems []api.Modem) {
	for i := range modems {
		if b := modems[i].Balance; b != nil {
			veiled := *b
			veiled.Text = ""
			modems[i].Balance = &veiled
		}
	}
}

// maskKeeps is how much of a number is left: enough to tell two apart that one
// knows, too little to call or to recognise anybody.
const maskKeeps = 2

func mask(number string) string {
	r := []rune(number)
	if len(r) == 0 {
		return ""
	}
	return "***" + string(r[max(len(r)-maskKeeps, 1):])
}
