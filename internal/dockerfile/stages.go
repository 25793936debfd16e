// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"strconv"
	"strings"
)

// stage is a part of a Dockerfile that begins with FROM.
type stage struct {
	name    string      // in lower case; empty: none
	sources []reference // its base first
}

// reference is a name that means a stage or an image.
type reference struct {
	name    string
	indexed bool // a number means a stage
}

// uses returns what the file uses. The engine builds the last stage, and what that needs.
func (r *reader) uses() Uses {
	uses := Uses{Mounts: r.mounts, Remote: r.remote}
	needed := map[int]bool{}
	if len(r.stages) > 0 {
		r.mark(len(r.stages)-1, needed)
	}
	for n, stage := range r.stages {
		for i, source := range stage.sources {
			if source.name == scratch {
				continue
			}
			uses.Names = appendNew(uses.Names, source.name)
			if _, ok := r.stageOf(source, n, i == 0); !ok && needed[n] {
				uses.Images = appendNew(uses.Images, source.name)
			}
		}
	}
	return uses
}

// mark marks a stage, and those that it uses, as needed.
func (r *reader) mark(n int, needed map[int]bool) {
	if needed[n] {
		return
	}
	needed[n] = true
	for i, source := range r.stages[n].sources {
		if other, ok := r.stageOf(source, n, i == 0); ok {
			r.mark(other, needed)
		}
	}
}

// stageOf returns the stage that a reference in stage n means. Of several with one name, that is the last; a base is an
// earlier stage.
func (r *reader) stageOf(source reference, n int, isBase bool) (int, bool) {
	before := len(r.stages)
	if isBase {
		before = n
	}
	for other := before - 1; other >= 0; other-- {
		if r.stages[other].name != "" && r.stages[other].name == strings.ToLower(source.name) {
			return other, true
		}
	}
	if index, err := strconv.Atoi(source.name); err == nil && index >= 0 && index < len(r.stages) && source.indexed {
		return index, true
	}
	return 0, false
}
