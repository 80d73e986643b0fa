package api

import (
	"bytes"
	"encoding/json"
)

// UnmarshalJSON takes a number or a list of numbers.
func (r *Recipients) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte{'"'}) {
		*r = make(Recipients, 1)
		return json.Unmarshal(b, &(*r)[0])
	}
	return json.Unmarshal(b, (*[]string)(r))
}
