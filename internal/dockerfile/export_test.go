// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"fmt"
	"slices"
)

// Instructions returns all instructions of a Dockerfile as text: the line, the name, the flags, and the words of FROM.
func Instructions(text []byte) ([]string, error) {
	p, err := newParser(text, false)
	if err != nil {
		return nil, err
	}
	var all []string
	for {
		found, err := p.next()
		if found == nil || err != nil {
			return all, err
		}
		for i := found; i != nil; i = p.nested(i) {
			for _, flag := range i.flags {
				if !plainFlag.MatchString(flag) {
					return nil, fmt.Errorf("engines differ: %s", flag)
				}
			}
			var words []string
			if i.name == from {
				words = space.Split(i.rest, -1)
			}
			if i.name == arg {
				words = p.splitWords(i.rest)
			}
			all = append(all, fmt.Sprintf("%d %s %q %q", found.line, i.name, slices.Clone(i.flags), words))
		}
	}
}
