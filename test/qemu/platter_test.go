package qemu_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// platter is a disk with a write cache that forgets: of what was written since the
// last flush, a power cut keeps some blocks and loses others. It speaks NBD
// (https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md), as far as QEMU does.
type platter struct {
	t      *testing.T
	socket string

	mu     sync.Mutex
	file   *os.File
	unsafe map[int64][]byte // what blocks written since the last flush were before
	trap   chan struct{}    // closed when a flush hangs, nil while it may not
	dead   chan struct{}    // closed at the cut

	serving sync.Mutex // held while a machine is served
}

const platterBlock = 4096

func newPlatter(t *testing.T, image string) *platter {
	t.Helper()
	file, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &platter{t: t, socket: filepath.Join(t.TempDir(), "nbd"), file: file, unsafe: map[int64][]byte{}, dead: make(chan struct{})}
	ln, err := net.Listen("unix", p.socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ln.Close()
		file.Close()
	})
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			p.serving.Lock()
			p.serve(conn)
			conn.Close()
			p.serving.Unlock()
		}
	}()
	return p
}

func (p *platter) drive() string {
	return "id=disk,if=none,format=raw,cache=writeback,file=nbd+unix:///?socket=" + p.socket
}

// hang lets the next flush that would have something to do wait for the cut, and
// says when: it is when most can be lost.
func (p *platter) hang() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trap = make(chan struct{})
	return p.trap
}

// caught waits for the cut if this flush is to hang.
func (p *platter) caught() bool {
	p.mu.Lock()
	dead, now := p.dead, p.trap != nil && len(p.unsafe) > 0
	if now {
		close(p.trap)
		p.trap = nil
	}
	p.mu.Unlock()
	if now {
		<-dead
	}
	return now
}

// cut loses what the cache may lose, and says how many blocks of how many. The
// machine must have ended.
func (p *platter) cut(rng *rand.Rand) (lost, written int) {
	p.mu.Lock()
	close(p.dead)
	p.mu.Unlock()
	p.serving.Lock() // what the machine wrote last has arrived
	defer p.serving.Unlock()
	written = len(p.unsafe)
	for at, before := range p.unsafe {
		if rng.IntN(2) == 0 {
			continue
		}
		lost++
		if _, err := p.file.WriteAt(before, at); err != nil {
			p.t.Error(err)
		}
	}
	clear(p.unsafe)
	p.dead, p.trap = make(chan struct{}), nil
	return lost, written
}

const (
	nbdFlags     = 1 | 4 | 8 // there are flags, and it can flush and force unit access
	nbdOptExport = 1
	nbdOptInfo   = 6
	nbdOptGo     = 7
	nbdAck       = 1
	nbdInfo      = 3
	nbdUnknown   = 1<<31 + 1

	nbdRead, nbdWrite, nbdDisconnect, nbdFlush = 0, 1, 2, 3
	nbdForce                                   = 1 // of a write's flags
	nbdIOError                                 = 5
)

// serve serves one machine until it has gone.
func (p *platter) serve(conn net.Conn) {
	if err := p.agree(conn); err != nil {
		return
	}
	for {
		var r struct {
			Magic       uint32
			Flags, Type uint16
			Handle      uint64
			Offset      uint64
			Length      uint32
		}
		if binary.Read(conn, binary.BigEndian, &r) != nil || r.Type == nbdDisconnect || r.Length > 64<<20 {
			return
		}
		data, code := make([]byte, r.Length), uint32(0)
		if r.Type == nbdFlush {
			data = nil
			if p.caught() {
				return
			}
		}
		if r.Type == nbdWrite {
			if _, err := io.ReadFull(conn, data); err != nil {
				return
			}
		}
		if err := p.do(r.Type, r.Flags&nbdForce != 0, int64(r.Offset), data); err != nil {
			code = nbdIOError
		}
		answer := binary.BigEndian.AppendUint32(nil, 0x67446698)
		answer = binary.BigEndian.AppendUint32(answer, code)
		answer = binary.BigEndian.AppendUint64(answer, r.Handle)
		if r.Type == nbdRead && code == 0 {
			answer = append(answer, data...)
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

func (p *platter) do(what uint16, force bool, at int64, data []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch what {
	case nbdRead:
		_, err := p.file.ReadAt(data, at)
		return err
	case nbdWrite:
		first, end := at/platterBlock*platterBlock, at+int64(len(data))
		for block := first; block < end; block += platterBlock {
			if _, known := p.unsafe[block]; !known && !force {
				before := make([]byte, platterBlock)
				if _, err := p.file.ReadAt(before, block); err != nil {
					return err
				}
				p.unsafe[block] = before
			}
			if force {
				delete(p.unsafe, block)
			}
		}
		_, err := p.file.WriteAt(data, at)
		return err
	case nbdFlush:
		clear(p.unsafe)
		return nil
	}
	return fmt.Errorf("no command %d", what)
}

// agree is the haggling before the first request.
func (p *platter) agree(conn net.Conn) error {
	info, err := p.file.Stat()
	if err != nil {
		return err
	}
	export := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint64(nil, uint64(info.Size())), nbdFlags)
	if _, err := conn.Write([]byte("NBDMAGICIHAVEOPT\x00\x03")); err != nil { // fixed newstyle, no zeroes
		return err
	}
	if _, err := io.CopyN(io.Discard, conn, 4); err != nil {
		return err
	}
	for {
		var o struct {
			Magic          uint64
			Option, Length uint32
		}
		if err := binary.Read(conn, binary.BigEndian, &o); err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, conn, int64(o.Length)); err != nil {
			return err
		}
		answer := func(kind uint32, data []byte) {
			b := binary.BigEndian.AppendUint64(nil, 0x3e889045565a9)
			b = binary.BigEndian.AppendUint32(b, o.Option)
			b = binary.BigEndian.AppendUint32(b, kind)
			b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
			conn.Write(append(b, data...)) // the next read shows whether it failed
		}
		switch o.Option {
		case nbdOptExport:
			_, err := conn.Write(export)
			return err
		case nbdOptInfo, nbdOptGo:
			answer(nbdInfo, append([]byte{0, 0}, export...))
			answer(nbdAck, nil)
			if o.Option == nbdOptGo {
				return nil
			}
		default:
			answer(nbdUnknown, nil)
		}
	}
}

// What was flushed stays, and what was not is kept or lost by the block.
func TestPlatter(t *testing.T) {
	image := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(image, make([]byte, 64*platterBlock), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newPlatter(t, image)
	fill := func(b byte) []byte {
		data := make([]byte, 32*platterBlock)
		for i := range data {
			data[i] = b
		}
		return data
	}
	for _, step := range []error{
		p.do(nbdWrite, false, 0, fill(1)), p.do(nbdFlush, false, 0, nil), p.do(nbdWrite, false, 0, fill(2)),
		p.do(nbdWrite, true, 32*platterBlock, fill(3)),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	lost, written := p.cut(rand.New(rand.NewPCG(1, 1)))
	got, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	old := 0
	for block := range 32 {
		old += int(2 - got[block*platterBlock])
		if got[block*platterBlock] != got[(block+1)*platterBlock-1] || got[(32+block)*platterBlock] != 3 {
			t.Fatalf("block %d is torn or was lost although it was forced", block)
		}
	}
	if written != 32 || lost == 0 || lost == 32 || old != lost {
		t.Errorf("%d of %d blocks are said to be lost, and %d are", lost, written, old)
	}
}

// A flush that hangs ends at the cut, and the next machine is served.
func TestPlatterHangs(t *testing.T) {
	image := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(image, make([]byte, platterBlock), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newPlatter(t, image)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 2 {
		conn, err := net.Dial("unix", p.socket)
		if err != nil {
			t.Fatal(err)
		}
		greeting := make([]byte, 18+10)
		io.WriteString(conn, "\x00\x00\x00\x03IHAVEOPT\x00\x00\x00\x01\x00\x00\x00\x00")
		if _, err := io.ReadFull(conn, greeting); err != nil {
			t.Fatal(err)
		}
		request := func(kind uint16, data []byte) {
			b := binary.BigEndian.AppendUint32(nil, 0x25609513)
			b = binary.BigEndian.AppendUint32(b, uint32(kind)) // flags, type
			b = append(b, make([]byte, 8+8)...)                // handle, offset
			conn.Write(append(binary.BigEndian.AppendUint32(b, uint32(len(data))), data...))
		}
		request(nbdWrite, make([]byte, platterBlock))
		if _, err := io.ReadFull(conn, make([]byte, 16)); err != nil {
			t.Fatal(err)
		}
		caught := p.hang()
		request(nbdFlush, nil)
		<-caught
		conn.Close()
		if _, written := p.cut(rng); written != 1 {
			t.Errorf("%d blocks were written, want 1", written)
		}
	}
}
