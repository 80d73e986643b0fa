package store

// migrations lead from one user_version to the next: number i leads to i+1.
// A step that was released is never edited.
var migrations = []string{schema1 + schemaBudget, schemaSaid, schemaSums, schemaCare, schemaBroadcast, schemaSignal, schemaCard}

// applicationID marks the file as ours (PRAGMA application_id): "SPOS".
const applicationID = 0x53504f53

// applicationIDAt is where it stands in the file (sqlite.org/fileformat2, 1.3).
const applicationIDAt = 68

// Priorities are 0 alert, 1 normal, 2 bulk. A lane says who may send a part:
// "" any modem, "m:NAME" the modem asked for, "s:ID" the SIM its message is bound
// to, "h:CODES" the cards that are from there, "g:" none (aside.go). priority, lane
// and expires repeat what the message says, so that one partial index finds the next
// part at any size of the table.
//
// Rows of message, part, attempt, received and report are never deleted, so their
// ids are never used again; only what they hold is forgotten (retention.go).
const schema1 = `
CREATE TABLE sim (
	id         INTEGER PRIMARY KEY,
	imsi       TEXT NOT NULL,
	iccid      TEXT NOT NULL,
	number     TEXT NOT NULL,
	next_ref   INTEGER NOT NULL DEFAULT 0 CHECK (next_ref BETWEEN 0 AND 255),
	skew       INTEGER, -- the service centre's clock minus ours, learned from reports
	skew_hint  INTEGER, -- what one report alone would teach
	hinted_by  INTEGER, -- the attempt that report was for
	seen_at    INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX sim_imsi ON sim(imsi) WHERE imsi <> '';
CREATE INDEX sim_iccid ON sim(iccid) WHERE iccid <> '';

CREATE TABLE modem (
	name         TEXT PRIMARY KEY,
	sim          INTEGER NOT NULL REFERENCES sim,
	imei         TEXT NOT NULL,
	manufacturer TEXT NOT NULL,
	model        TEXT NOT NULL,
	revision     TEXT NOT NULL,
	seen_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE pin (
	iccid    TEXT NOT NULL,
	hash     BLOB NOT NULL,
	tried_at INTEGER NOT NULL,
	PRIMARY KEY (iccid, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE message (
	id          INTEGER PRIMARY KEY,
	direction   TEXT NOT NULL CHECK (direction IN ('out', 'in')),
	state       TEXT NOT NULL,
	number      TEXT NOT NULL, -- recipient or sender, as given
	number_key  TEXT NOT NULL, -- its digits without + and 00, or the name in lower case
	text        TEXT,
	data        BLOB,
	port        INTEGER,
	encoding    TEXT NOT NULL,
	class       INTEGER,
	created_at  INTEGER NOT NULL,
	sent_at     INTEGER,
	modem       TEXT NOT NULL, -- asked for or bound to; received by
	sim         INTEGER REFERENCES sim,
	total       INTEGER NOT NULL,
	code        TEXT NOT NULL DEFAULT '', -- why it waits or what went wrong
	reason      TEXT NOT NULL DEFAULT '',
	-- outgoing
	priority    INTEGER,
	on_unknown  TEXT,
	asked       TEXT,    -- the modem asked for by name
	ref         INTEGER, -- concat reference, once bound
	report      INTEGER,
	validity    INTEGER,
	not_before  INTEGER,
	expires     INTEGER,
	duplicate   INTEGER NOT NULL DEFAULT 0,
	-- incoming
	concat      TEXT,    -- what its parts have in common
	repeat_of   INTEGER REFERENCES message,
	incomplete  INTEGER NOT NULL DEFAULT 0, -- 1 waiting for parts, 2 and said so
	flags       TEXT
) STRICT;
CREATE INDEX message_state     ON message(state, id);
CREATE INDEX message_direction ON message(direction, id);
CREATE INDEX message_number    ON message(number_key, id);
CREATE INDEX message_modem     ON message(modem, id) WHERE modem <> '';
CREATE INDEX message_concat    ON message(concat, id) WHERE incomplete > 0;
CREATE INDEX message_partial   ON message(created_at) WHERE incomplete = 1;
CREATE INDEX message_body      ON message(created_at) WHERE text IS NOT NULL OR data IS NOT NULL;
CREATE INDEX message_wake      ON message(not_before) WHERE state = 'scheduled';

CREATE TABLE part (
	id         INTEGER PRIMARY KEY,
	message    INTEGER NOT NULL REFERENCES message,
	seq        INTEGER NOT NULL,
	state      TEXT NOT NULL,
	tpdu       BLOB NOT NULL,
	lane       TEXT NOT NULL,
	priority   INTEGER NOT NULL,
	due_at     INTEGER NOT NULL,
	expires    INTEGER,
	blocked    INTEGER NOT NULL DEFAULT 0, -- another part's outcome must be known first
	mr         INTEGER,
	modem      TEXT NOT NULL DEFAULT '',
	tries      INTEGER NOT NULL DEFAULT 0,
	resend     INTEGER NOT NULL DEFAULT 0, -- possible duplicate
	decide_at  INTEGER,
	decided    INTEGER NOT NULL DEFAULT 0, -- unknown for good, unless evidence comes
	report     TEXT NOT NULL,
	report_by  INTEGER,
	code       TEXT NOT NULL DEFAULT '',
	reason     TEXT NOT NULL DEFAULT '',
	UNIQUE (message, seq)
) STRICT;
CREATE INDEX part_due     ON part(lane, priority, due_at, id) WHERE state = 'queued' AND blocked = 0;
CREATE INDEX part_expires ON part(expires) WHERE state = 'queued' AND expires IS NOT NULL;
CREATE INDEX part_unknown ON part(lane) WHERE state = 'unknown' AND decided = 0;
CREATE INDEX part_decide  ON part(decide_at) WHERE state = 'unknown' AND decided = 0 AND decide_at IS NOT NULL;
CREATE INDEX part_report  ON part(report_by) WHERE report_by IS NOT NULL;

CREATE TABLE attempt (
	id         INTEGER PRIMARY KEY,
	part       INTEGER NOT NULL REFERENCES part,
	previous   INTEGER REFERENCES attempt,
	state      TEXT NOT NULL CHECK (state IN ('submitting', 'submitted', 'failed', 'unknown')),
	sim        INTEGER NOT NULL REFERENCES sim,
	modem      TEXT NOT NULL,
	number_key TEXT NOT NULL,
	tail       TEXT NOT NULL, -- last digits of the number: what reports are found by
	mr         INTEGER,
	smss       INTEGER, -- the SIM's last used reference before it, where that was read
	started_at INTEGER NOT NULL,
	settled_at INTEGER,
	reason     TEXT NOT NULL,
	evidence   TEXT NOT NULL DEFAULT '',
	code       TEXT NOT NULL DEFAULT '',
	error      TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX attempt_part ON attempt(part);
CREATE INDEX attempt_smss ON attempt(sim, id) WHERE smss IS NOT NULL;
-- I4: one attempt of a part is in the air at most, over all SIMs.
CREATE UNIQUE INDEX attempt_open ON attempt(part) WHERE state = 'submitting';
CREATE INDEX attempt_mr      ON attempt(sim, tail, mr, started_at) WHERE mr IS NOT NULL;
CREATE INDEX attempt_unknown ON attempt(sim, tail) WHERE mr IS NULL AND state = 'unknown';

CREATE TABLE received (
	id          INTEGER PRIMARY KEY,
	kind        TEXT NOT NULL,
	modem       TEXT NOT NULL,
	sim         INTEGER REFERENCES sim,
	memory      TEXT NOT NULL,
	slot        INTEGER NOT NULL,
	place       TEXT, -- the physical slot, NULL for +CMT and +CDS
	pdu         BLOB NOT NULL,
	octets      INTEGER NOT NULL, -- a hash of pdu
	sent_at     INTEGER,
	received_at INTEGER NOT NULL,
	deleted_at  INTEGER,
	message     INTEGER REFERENCES message,
	seq         INTEGER NOT NULL DEFAULT 1,
	repeat_of   INTEGER REFERENCES received,
	copy_of     INTEGER REFERENCES message -- a repeated part waiting for the other ones
) STRICT;
CREATE UNIQUE INDEX received_place ON received(place) WHERE deleted_at IS NULL AND place IS NOT NULL;
CREATE INDEX received_octets  ON received(octets);
CREATE INDEX received_message ON received(message, seq) WHERE message IS NOT NULL;
CREATE INDEX received_body    ON received(received_at) WHERE pdu <> x'';
CREATE INDEX received_copy    ON received(copy_of) WHERE message IS NULL AND copy_of IS NOT NULL;

CREATE TABLE report (
	id          INTEGER PRIMARY KEY,
	received    INTEGER NOT NULL REFERENCES received,
	sim         INTEGER NOT NULL,
	mr          INTEGER NOT NULL,
	number      TEXT NOT NULL,
	number_key  TEXT NOT NULL,
	tail        TEXT NOT NULL,
	status      INTEGER NOT NULL,
	status_text TEXT NOT NULL,
	final       INTEGER NOT NULL,
	delivered   INTEGER NOT NULL,
	sent_at     INTEGER NOT NULL,
	discharge   INTEGER NOT NULL,
	received_at INTEGER NOT NULL,
	attempt     INTEGER REFERENCES attempt -- NULL: unmatched, kept
) STRICT;
CREATE INDEX report_open    ON report(sim, tail, received_at) WHERE attempt IS NULL;
CREATE INDEX report_attempt ON report(attempt) WHERE attempt IS NOT NULL;

CREATE TABLE idempotency (
	caller     TEXT NOT NULL,
	key        TEXT NOT NULL,
	hash       BLOB NOT NULL,
	body       BLOB NOT NULL,
	created_at INTEGER NOT NULL,
	PRIMARY KEY (caller, key)
) STRICT;
CREATE INDEX idempotency_age ON idempotency(created_at);

-- One row: what the database knows of the file beside it (mark.go).
CREATE TABLE mark (state INTEGER NOT NULL) STRICT;
INSERT INTO mark VALUES (0);

-- seq has no gaps: rows are only appended, and a rolled back one gives its number back.
CREATE TABLE event (
	seq     INTEGER PRIMARY KEY,
	at      INTEGER NOT NULL,
	type    TEXT NOT NULL,
	message INTEGER,
	part    INTEGER NOT NULL DEFAULT 0,
	modem   TEXT NOT NULL DEFAULT '',
	state   TEXT NOT NULL DEFAULT '',
	detail  TEXT NOT NULL DEFAULT ''
) STRICT;
`
