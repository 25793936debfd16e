// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"fmt"
	"strings"
)

// PullProgress says how far a pull is.
type PullProgress struct {
	Layers, Done int   // Done: those that the engine has, unpacked
	Bytes, Total int64 // of the layers whose size the engine has told so far
}

// String returns the progress for people, in powers of 1000 as docker does.
func (p PullProgress) String() string {
	text := fmt.Sprintf("%d of %d layers", p.Done, p.Layers)
	switch have, total := float64(p.Bytes)/1e6, float64(p.Total)/1e6; {
	case total >= 10:
		text += fmt.Sprintf(", %.0f of %.0f MB", have, total)
	case total > 0:
		text += fmt.Sprintf(", %.1f of %.1f MB", have, total)
	}
	return text
}

// layer is one layer of an image that is pulled.
type layer struct {
	bytes, total int64
	done         bool
}

// layers are those of an image that is pulled, by their short IDs.
type layers map[string]*layer

// note takes a message of a pull, and reports whether it is about a layer. The first message is about the image: its ID is the
// tag. What engines say while they unpack a layer does not count: its unit may be seconds.
func (l layers) note(m message) bool {
	if m.ID == "" || strings.HasPrefix(m.Status, "Pulling from") {
		return false
	}
	found := l[m.ID]
	if found == nil {
		found = &layer{}
		l[m.ID] = found
	}
	switch m.Status {
	case "Downloading":
		if bar, ok := m.Progress.(map[string]any); ok {
			current, _ := bar["current"].(float64)
			total, _ := bar["total"].(float64)
			found.total = int64(max(total, 0))
			found.bytes = min(int64(max(current, 0)), found.total)
		}
	case "Verifying Checksum", "Download complete", "Extracting":
		found.bytes = found.total
	case "Pull complete", "Already exists":
		found.bytes, found.done = found.total, true
	}
	return true
}

func (l layers) progress() (p PullProgress) {
	for _, one := range l {
		p.Layers++
		p.Bytes, p.Total = p.Bytes+one.bytes, p.Total+one.total
		if one.done {
			p.Done++
		}
	}
	return p
}
