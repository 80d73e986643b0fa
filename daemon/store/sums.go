package store

import (
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"hash"

	"github.com/mattn/go-sqlite3"

	"simpost/daemon/api"
)

// A bit that flips on the disk breaks the file's structure, which SQLite notices,
// or lies within a value, which it does not: its pages have no checksums. So what
// would go on the air or be read by a person is kept with a sum. It is looked at
// when the value is read to be sent (Job.Damaged) or shown (api.FlagDamaged), and
// costs no write of its own. States, times and what else steers a message have
// none.
//
// A sum is NULL only where there is nothing left to sum up (retention.go): a flip in
// a row's header must not take the sum away and be believed.

// schemaSums: received has had a sum of its octets from the first format on.
const schemaSums = `
ALTER TABLE message ADD COLUMN sum INTEGER; -- of number, encoding, port, text and data
ALTER TABLE part ADD COLUMN sum INTEGER; -- of message, seq and tpdu
UPDATE message SET sum = content_sum(number, encoding, port, text, data) WHERE text IS NOT NULL OR data IS NOT NULL;
UPDATE part SET sum = part_sum(message, seq, tpdu) WHERE tpdu <> x'';
`

// registerSums makes the sums known to a connection, for schemaSums.
func registerSums(c *sqlite3.SQLiteConn) error {
	return errors.Join(
		c.RegisterFunc("part_sum", partSum, true),
		c.RegisterFunc("content_sum", func(number, encoding string, port, text, data any) int64 {
			var p *int
			if n, ok := port.(int64); ok {
				at := int(n)
				p = &at
			}
			var said *string
			if s, ok := text.(string); ok {
				said = &s
			}
			octets, _ := data.([]byte)
			return contentSum(number, encoding, p, said, octets)
		}, true))
}

// octetSum is the sum of a received PDU.
func octetSum(pdu []byte) int64 {
	sum := sha256.Sum256(pdu)
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// partSum ties a TPDU, which holds number and text, to its place in its message.
func partSum(message int64, seq int, tpdu []byte) int64 {
	b := make([]byte, 0, 192)
	b = binary.BigEndian.AppendUint64(b, uint64(message))
	b = binary.BigEndian.AppendUint64(b, uint64(seq))
	return octetSum(append(b, tpdu...))
}

// contentSum is the sum of what a message says, and from whom or to whom.
func contentSum(number, encoding string, port *int, text *string, data []byte) int64 {
	h := sha256.New()
	field(h, true, []byte(number))
	field(h, true, []byte(encoding))
	var at [8]byte
	if port != nil {
		binary.BigEndian.PutUint64(at[:], uint64(*port))
	}
	field(h, port != nil, at[:])
	if text != nil {
		field(h, true, []byte(*text))
	} else {
		field(h, false, nil)
	}
	field(h, true, data) // SQLite does not tell an empty one from none
	var sum [sha256.Size]byte
	return int64(binary.BigEndian.Uint64(h.Sum(sum[:0])[:8]))
}

// field adds a value to h so that none can pass for another one.
func field(h hash.Hash, there bool, value []byte) {
	var head [9]byte
	if there {
		head[0] = 1
	}
	binary.BigEndian.PutUint64(head[1:], uint64(len(value)))
	h.Write(head[:])
	h.Write(value)
}

// markDamage marks a message that was read if it is not what was written.
func markDamage(m *api.Message, number string, stored sql.NullInt64) {
	forgotten := m.Text == nil && len(m.Data) == 0 && !stored.Valid
	if !forgotten && (!stored.Valid || stored.Int64 != contentSum(number, m.Encoding, m.Port, m.Text, m.Data)) {
		m.Flags = append(m.Flags, api.FlagDamaged)
	}
}
