package api

import "log/slog"

// LogValue tells which message it is and how it stands: no text, no data, and of
// a number the last two digits. Messages are logged one at a time: a handler
// does not ask the entries of a slice.
func (m Message) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("id", m.ID), slog.String("direction", string(m.Direction)), slog.String("state", string(m.State)),
	}
	if m.To != "" {
		attrs = append(attrs, slog.String("to", masked(m.To)))
	}
	if m.From != "" {
		attrs = append(attrs, slog.String("from", masked(m.From)))
	}
	return slog.GroupValue(append(attrs, slog.String("modem", m.Modem), slog.Int("parts", len(m.Parts)))...)
}

// LogValue tells what happened to what: neither who called nor what was said.
func (e Event) LogValue() slog.Value {
	return slog.GroupValue(slog.Int64("seq", e.Seq), slog.String("type", string(e.Type)), slog.String("message", e.Message),
		slog.String("modem", e.Modem), slog.String("state", e.State))
}

// LogValue tells how the session stands, and not what was said in it.
func (a USSDAnswer) LogValue() slog.Value { return slog.StringValue(string(a.State)) }

// masked leaves enough of a number to tell two apart that one knows. A sender
// that is a name leaves as little, and nothing is left whole.
func masked(number string) string {
	r := []rune(number)
	return "***" + string(r[max(len(r)-2, 1):])
}
