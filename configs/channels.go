package configs

import (
	"fmt"
	"strconv"
	"strings"
)

// Channels is a range of broadcast channels, both ends included.
type Channels struct{ First, Last int }

// alerts are the channels of governments' warnings (TS 23.041 9.4.1.2.2).
var alerts = []Channels{{4352, 4359}, {4370, 4399}}

// ParseChannels reads words with spaces between them: alerts, numbers, and ranges
// such as 50-55.
func ParseChannels(s string) ([]Channels, error) {
	var all []Channels
	for _, word := range strings.Fields(s) {
		if word == "alerts" {
			all = append(all, alerts...)
			continue
		}
		low, high, isRange := strings.Cut(word, "-")
		first, err := strconv.ParseUint(low, 10, 16)
		last := first
		if err == nil && isRange {
			last, err = strconv.ParseUint(high, 10, 16)
		}
		if err != nil || last < first {
			return nil, fmt.Errorf("%q is no channel", word)
		}
		all = append(all, Channels{int(first), int(last)})
	}
	if len(all) > channelLimit {
		return nil, fmt.Errorf("%d channels and ranges are more than %d", len(all), channelLimit)
	}
	return all, nil
}

// channelLimit is what most modems take.
const channelLimit = 20

// ChannelList writes channels as modems take them: 4352-4359,50.
func ChannelList(all []Channels) string {
	var words []string
	for _, c := range all {
		word := strconv.Itoa(c.First)
		if c.Last > c.First {
			word += "-" + strconv.Itoa(c.Last)
		}
		words = append(words, word)
	}
	return strings.Join(words, ",")
}
