package main

import (
	"bufio"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"simpost/daemon/store"
)

// The power goes at every one of our own system calls. The program sends 50
// messages under strace(1); then, for every call it made, a disk is put together
// as a cut at that instant may leave it: without what was not synced, with all of
// it, and with some sectors of it and not others. Each must open, hold what was
// promised by then, and repeat nothing by itself.

const (
	cutMessages = 50
	cutTexts    = 10
	sector      = 512
)

// call is one system call that matters, in the order in which the kernel saw it.
type call struct {
	name string
	path string // of its file
	to   string // of a rename
	data []byte
	off  int64
}

func TestPowerCutAtEverySystemCall(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("SIMPOST_FAULTS") != "" {
			t.Fatal("strace is missing: sudo apt-get install strace")
		}
		t.Skip("strace is missing (sudo apt-get install strace)")
	}
	v := newVictim(t)
	calls := v.traced()
	j := &cutJudge{t: t, dir: ramDir(t), db: filepath.Join(v.dir, "simpost.db"), mark: markFile{path: v.markPath()}, rng: rand.New(rand.NewPCG(cutSeed(t), 0))}
	torn, every := 1, 20
	switch os.Getenv("SIMPOST_FAULTS") {
	case "full":
		torn, every = 4, 1
	case "ci":
		every = 8
	}
	began := time.Now()
	for i, c := range calls {
		j.see(c)
		if j.dirty && (i%every == 0 || len(j.acked) == 0) { // while the file is made no two calls are alike
			j.cut("drop")
			j.cut("keep")
			for range torn {
				j.cut("torn")
			}
		}
	}
	t.Logf("%d calls of %d promises: %d answers, %d ^Z, %d deletes; %d disks", len(calls), len(j.acked)+j.sent+j.deleted, len(j.acked), j.sent, j.deleted, j.disks)
	if j.mark.moves == 0 || len(j.acked) < cutMessages || j.sent < cutMessages || j.deleted < cutTexts || j.disks < 100 {
		t.Errorf("the trace shows too little of the run")
	}
	writeFaultRow(t, "power-cut", "the power goes at every system call", j.disks, j.lost, j.doubled, j.wrong, time.Since(began))
}

func cutSeed(t *testing.T) uint64 {
	s := os.Getenv("SIMPOST_SEED")
	if s == "" {
		return 1
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// ramDir is where thousands of disks cost nothing.
func ramDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "simpost-cut")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// traced runs the daemon under strace until 50 messages are sent, and kills it.
func (v *victim) traced() []call {
	v.t.Helper()
	out := filepath.Join(v.dir, "trace")
	cmd := exec.Command("strace", "-D", "-f", "-y", "-xx", "-s", "1000000", "-o", out,
		"-e", "trace=openat,pwrite64,write,fsync,fdatasync,ftruncate,unlink,unlinkat,rename,renameat,renameat2",
		"-e", "signal=none", "simpost", "serve", "--config", filepath.Join(v.dir, "simpost.toml"))
	v.launch(cmd)
	v.mustServe()
	for i := range cutMessages {
		text := fmt.Sprintf("message %d.", i)
		v.asked = append(v.asked, order{fmt.Sprintf("cut-%d", i), textTo(v.phones[i%3].Number(), text)})
		v.ask()
		if i%(cutMessages/cutTexts) == 0 {
			v.tell(fmt.Sprintf("to us %d.", i))
		}
	}
	v.settled()
	v.judge()
	v.kill()
	return readTrace(v.t, out)
}

// A line of strace -f: a call, or one half of it where another thread came between.
var (
	callLine    = regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += (-?\d+)`)
	halfLine    = regexp.MustCompile(`^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$`)
	resumedLine = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+)`)
	hexString   = regexp.MustCompile(`"((?:\\x[0-9a-f]{2})*)"`)
	pathOf      = regexp.MustCompile(`^-?\d+<((?:\\x[0-9a-f]{2})*)>`)
	lastNumber  = regexp.MustCompile(`, (\d+)$`)
)

// readTrace puts the calls in order. A write counts from its beginning, a sync from
// its end: what lies between is not promised by anybody.
func readTrace(t *testing.T, path string) []call {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var calls []call
	half := map[string]string{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		line := lines.Text()
		if m := halfLine.FindStringSubmatch(line); m != nil {
			half[m[1]] = m[3]
			if early(m[2]) {
				calls = appendCall(t, calls, m[2], m[3])
			}
			continue
		}
		if m := resumedLine.FindStringSubmatch(line); m != nil {
			if !early(m[2]) && !strings.HasPrefix(m[4], "-") {
				calls = appendCall(t, calls, m[2], half[m[1]]+m[3])
			}
			continue
		}
		if m := callLine.FindStringSubmatch(line); m != nil && !strings.HasPrefix(m[4], "-") {
			calls = appendCall(t, calls, m[2], m[3])
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return calls
}

func early(name string) bool { return strings.HasSuffix(name, "write") || name == "pwrite64" }

func appendCall(t *testing.T, calls []call, name, args string) []call {
	t.Helper()
	c := call{name: name}
	strs := hexString.FindAllStringSubmatch(args, -1)
	if m := pathOf.FindStringSubmatch(args); m != nil {
		c.path = string(unhex(t, m[1]))
	}
	last := lastNumber.FindStringSubmatch(args)
	switch name {
	case "pwrite64", "write":
		c.data = unhex(t, strs[0][1])
		if name == "pwrite64" {
			c.off = parse(t, last[1])
		}
	case "ftruncate":
		c.off = parse(t, last[1])
	case "openat":
		if !strings.Contains(args, "O_CREAT") {
			return calls
		}
		c.path = string(unhex(t, strs[0][1]))
	case "unlink", "unlinkat":
		c.name, c.path = "unlink", string(unhex(t, strs[0][1]))
	case "rename", "renameat", "renameat2":
		c.name, c.path, c.to = "rename", string(unhex(t, strs[0][1])), string(unhex(t, strs[1][1]))
	}
	return append(calls, c)
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, `\x`, ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parse(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// image is a file: what a cut can't take away, and what it can.
type image struct {
	synced  []byte
	pending []call
	here    bool   // it has its name
	durable bool   // its name is on disk
	before  *image // what has the name on disk until this one has it
}

// create is a file that comes into being, or is opened.
func (f *image) create() {
	if f.here {
		return
	}
	if f.durable {
		old := *f
		f.before = &old
	}
	f.synced, f.pending, f.here, f.durable = nil, nil, true, false
}

// settle: the folder was synced.
func (f *image) settle() { f.durable, f.before = f.here, nil }

// left is the file as a cut leaves it, which may be the one that was there before;
// nil is none.
func (f *image) left(how string, coin func() bool) *image {
	on := f.durable
	switch {
	case how == "keep", how == "torn" && coin():
		on = f.here
	case f.before != nil:
		return f.before
	}
	if !on {
		return nil
	}
	return f
}

// suffixes are the files of a database. The journal is there only until the file is
// in WAL mode.
var suffixes = [...]string{"", "-wal", "-journal"}

// cutJudge knows what the disk holds and what has been promised.
type cutJudge struct {
	t   *testing.T
	dir string
	db  string
	rng *rand.Rand

	files   [len(suffixes)]image
	mark    markFile
	dirty   bool     // something has happened since the last cut
	acked   []string // messages whose senders have an answer
	sent    int      // ^Z
	deleted int      // AT+CMGD

	disks, lost, doubled, wrong int
}

var ackedID = regexp.MustCompile(`\r\n\r\n\[\{"id":"(\d+)"`)

// see takes one call in.
func (j *cutJudge) see(c call) {
	f := j.file(c.path)
	switch {
	case j.mark.see(c):
	case c.name == "fsync" && c.path == filepath.Dir(j.db):
		for i := range j.files {
			j.files[i].settle()
		}
	case f == nil:
		j.promise(c)
		return
	case c.name == "fsync" || c.name == "fdatasync":
		for _, p := range f.pending {
			f.synced = apply(f.synced, p, nil)
		}
		f.pending = nil
	case c.name == "openat":
		f.create()
	case c.name == "unlink" && f == &j.files[2]:
		f.here = false
	case c.name == "pwrite64" || c.name == "ftruncate":
		f.pending = append(f.pending, c)
	case c.name == "rename" || c.name == "unlink" || c.name == "write":
		j.t.Fatalf("a %s of the database's files is more than this replay knows", c.name)
	}
	j.dirty = true
}

func (j *cutJudge) file(path string) *image {
	for i, suffix := range suffixes {
		if path == j.db+suffix {
			return &j.files[i]
		}
	}
	return nil
}

// markFile is the mark (daemon/store, mark.go), which is replaced by a new file under
// its name.
type markFile struct {
	path    string
	fresh   image  // under the other name
	now     *image // under its name
	durable *image // under its name for certain: the folder was synced
	moves   int
}

// see says whether c was about the mark.
func (m *markFile) see(c call) bool {
	switch {
	case c.path == m.path+".new" && c.name == "openat":
		m.fresh = image{}
	case c.path == m.path+".new" && c.name == "write":
		c.off = int64(len(m.fresh.synced))
		m.fresh.pending = append(m.fresh.pending, c)
	case c.path == m.path+".new" && c.name == "fsync":
		for _, p := range m.fresh.pending {
			m.fresh.synced = apply(m.fresh.synced, p, nil)
		}
		m.fresh.pending = nil
	case c.name == "rename" && c.to == m.path:
		moved := m.fresh
		m.now = &moved
		m.moves++
	case c.name == "fsync" && c.path == filepath.Dir(m.path):
		m.durable = m.now
	default:
		return false
	}
	return true
}

// put writes what a cut leaves of it.
func (m *markFile) put(path string, j *cutJudge, how string) {
	os.Remove(path)
	left := m.now
	if how == "drop" || how == "torn" && j.rng.IntN(2) == 0 {
		left = m.durable
	}
	if left == nil {
		return
	}
	content := left.synced
	if how == "keep" {
		for _, p := range left.pending {
			content = apply(content, p, nil)
		}
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		j.t.Fatal(err)
	}
}

// promise notes what others rely on from here on.
func (j *cutJudge) promise(c call) {
	if c.name != "write" {
		return
	}
	s := string(c.data)
	switch {
	case strings.Contains(s, "HTTP/1.1 202"):
		if m := ackedID.FindStringSubmatch(s); m != nil {
			j.acked = append(j.acked, m[1])
		}
	case strings.Contains(s, "\x1a"):
		j.sent++
	case strings.Contains(s, "AT+CMGD="):
		j.deleted++
	default:
		return
	}
	j.dirty = true
}

// apply does a write or a truncation; keep says which sectors of it, nil all.
func apply(b []byte, c call, keep func() bool) []byte {
	if c.name == "ftruncate" {
		if keep != nil && !keep() {
			return b
		}
		if int64(len(b)) > c.off {
			return b[:c.off]
		}
		return append(b, make([]byte, c.off-int64(len(b)))...)
	}
	for at := 0; at < len(c.data); at += sector {
		piece := c.data[at:min(at+sector, len(c.data))]
		if keep != nil && !keep() {
			continue
		}
		end := int(c.off) + at + len(piece)
		if len(b) < end {
			b = append(b, make([]byte, end-len(b))...)
		}
		copy(b[int(c.off)+at:], piece)
	}
	return b
}

// cut puts a disk together and looks at it.
func (j *cutJudge) cut(how string) {
	j.dirty = how == "drop" && j.dirty // the other ways look at the same instant
	path := filepath.Join(j.dir, "simpost.db")
	coin := func() bool { return j.rng.IntN(2) == 0 }
	for i, suffix := range suffixes {
		os.Remove(path + suffix)
		f := j.files[i].left(how, coin)
		if f == nil {
			continue
		}
		content := append([]byte(nil), f.synced...)
		keep := func() bool { return how == "keep" }
		if how == "torn" {
			keep = coin
		}
		if how != "drop" {
			for _, p := range f.pending {
				content = apply(content, p, keep)
			}
		}
		if err := os.WriteFile(path+suffix, content, 0o600); err != nil {
			j.t.Fatal(err)
		}
	}
	os.Remove(path + "-shm")
	j.mark.put(filepath.Join(j.dir, "last"), j, how)
	j.disks++
	j.look(how, path)
}

// look opens the disk as the next daemon would.
func (j *cutJudge) look(how, path string) {
	s, err := store.Open(path)
	if err != nil {
		j.wrong++
		j.t.Errorf("%s after %d answers: %v", how, len(j.acked), err)
		return
	}
	found, err := s.StartMarked(time.Now(), filepath.Join(j.dir, "last"))
	if err := errors.Join(err, s.Close()); err != nil {
		j.wrong++
		j.t.Errorf("%s: %v", how, err)
		return
	}
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		j.t.Fatal(err)
	}
	defer db.Close()
	if found.Restored {
		j.wrong++
		j.t.Errorf("%s: taken for a copy that came back: %+v", how, found)
	}
	count := func(query string, args ...any) (n int) {
		if err := db.QueryRow(query, args...).Scan(&n); err != nil {
			j.t.Fatal(err)
		}
		return n
	}
	var sound string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&sound); err != nil || sound != "ok" {
		j.wrong++
		j.t.Errorf("%s: integrity: %s %v", how, sound, err)
	}
	if len(j.acked) > 0 {
		last := j.acked[len(j.acked)-1]
		if n := count(`SELECT count(*) FROM message WHERE direction = 'out' AND id <= ?`, last); n < len(j.acked) {
			j.lost += len(j.acked) - n
			j.t.Errorf("%s: %d messages were accepted, %d are there", how, len(j.acked), n)
		}
	}
	if n := count(`SELECT count(*) FROM attempt`); n < j.sent {
		j.doubled += j.sent - n
		j.t.Errorf("%s: %d ^Z have left, %d attempts are known", how, j.sent, n)
	}
	if n := count(`SELECT count(*) FROM received`); n < j.deleted {
		j.lost += j.deleted - n
		j.t.Errorf("%s: %d slots were deleted, %d of them are kept", how, j.deleted, n)
	}
	if n := count(`SELECT count(*) FROM part p WHERE state = 'queued' AND resend = 0
		AND EXISTS (SELECT 1 FROM attempt a WHERE a.part = p.id AND a.state <> 'failed')`); n > 0 {
		j.doubled += n
		j.t.Errorf("%s: %d parts would be sent again without a word", how, n)
	}
}
