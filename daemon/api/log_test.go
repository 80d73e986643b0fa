package api

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestMessagesAreLoggedWithoutTheirContent(t *testing.T) {
	text := "your code is 731905"
	out := Message{ID: "17", Direction: Out, State: Sending, To: "+4790000001", Text: &text, Data: []byte("secret"), Modem: "office",
		Parts: []Part{{Seq: 1}, {Seq: 2}}, Reports: []Report{{Number: "+4790000001"}}}
	in := Message{ID: "18", Direction: In, State: Received, From: "Bank", Text: &text}
	var asText, asJSON bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&asText, nil), slog.NewJSONHandler(&asJSON, nil)} {
		log := slog.New(h)
		log.Info("by value", "message", out)
		log.Info("by address", "message", &out)
		log.Info("incoming", "message", in)
		log.Info("of a short code", "message", Message{ID: "19", To: "1"})
	}
	logged := asText.String() + asJSON.String()
	for _, secret := range []string{"731905", "secret", "c2VjcmV0", "90000", "Bank", `"to":"1"`, "to=1"} {
		if strings.Contains(logged, secret) {
			t.Errorf("%q is in the log:\n%s", secret, logged)
		}
	}
	for _, said := range []string{"message.id=17", "message.state=sending", "message.to=***01", "message.from=***nk", "message.modem=office", "message.parts=2", `"to":"***01"`} {
		if !strings.Contains(logged, said) {
			t.Errorf("%q is not in the log:\n%s", said, logged)
		}
	}
}
