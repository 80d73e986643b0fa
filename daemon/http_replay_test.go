package daemon

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"simpost/daemon/api"
)

// A client whose answer was lost asks again. By then `expires` may have passed,
// or the modem may have another name: what was accepted is answered all the same.
func TestReplayOfWhatWouldBeRefusedNow(t *testing.T) {
	a := newTestAPI(t)
	clock := time.Now()
	a.server.Now = func() time.Time { return clock }
	body := fmt.Sprintf(`{"to":"+4790000001","text":"hei","modem":"alarm","expires":%q}`, clock.Add(time.Hour).Format(time.RFC3339))
	const key = "Idempotency-Key: order 18"
	first := a.ask("POST", "/v1/messages", body, key)
	if first.status != http.StatusAccepted {
		t.Fatalf("%d %s", first.status, first.body)
	}
	clock = clock.Add(2 * time.Hour)
	a.server.ModemNames = func() []string { return []string{"office"} }
	again := a.ask("POST", "/v1/messages", body, key)
	if again.status != http.StatusAccepted || again.header.Get("Idempotency-Replayed") != "true" || !bytes.Equal(again.body, first.body) {
		t.Errorf("got %d %s, want %s again", again.status, again.body, first.body)
	}
	if fresh := a.ask("POST", "/v1/messages", body, "Idempotency-Key: order 19"); fresh.status != http.StatusUnprocessableEntity {
		t.Errorf("under a new key: got %d %s, want 422", fresh.status, fresh.body)
	}
	if p := a.ask("POST", "/v1/messages", `{"to":"1890","text":"x","modem":"alarm"}`, key).problem(t); p.Code != api.CodeKeyReused {
		t.Errorf("another request under the key: got %q, want %q", p.Code, api.CodeKeyReused)
	}
}
