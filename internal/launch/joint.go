// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"fabric-builder-docker/internal/docker"
)

const (
	jointBefore = 5 * time.Second       // how far before the last output the log is read first
	jointAfter  = time.Second           // how much later than it arrived a line may be stamped
	jointBurst  = 20 * time.Millisecond // between lines whose order of arrival cannot be told by time
	maxSearched = 16 << 20              // bytes of each stream that are kept to find the place in
)

// errPassed ends a read of the log that has gone beyond the place to be found.
var errPassed = errors.New("read far enough")

// joint finds the place in the log where the output of an attach has ended, for one stream. An attach has no time stamps,
// so the place is found by content, and by time where several places fit.
//
// A place fits if what comes before it in the log and the lines that were printed last are the same, as far back as both
// go. If lines repeat, several places fit. The one counts before which the stamps are nearest to the arrival of the last lines.
// Of those within a burst, it is the one that comes after as many bytes as were printed, if the log still has its beginning,
// else the one with the longest match: a burst is rarely the middle of a longer one.
type joint struct {
	whole, partial []byte // see printed.lines
	total          int    // bytes that were printed, up to the end of the whole lines
	fromStart      bool   // the log is read from its beginning
	before         int    // bytes of pieces that are not kept
	size           int    // bytes of pieces
	when           time.Time
	ends           []time.Time // the arrival of the last lines, by the engine's clock
	pieces         []docker.LogPiece
}

func newJoint(p *printed, clock func(time.Time) time.Time) *joint {
	j := &joint{when: clock(p.mark())}
	j.whole, j.partial = p.lines()
	j.total = p.total - len(j.partial)
	for _, end := range p.ends {
		j.ends = append(j.ends, clock(end))
	}
	return j
}

// take takes the next piece of the log, and reports whether the place must have been passed.
func (j *joint) take(piece docker.LogPiece) (passed bool) {
	if piece.Time.After(j.when.Add(jointAfter)) {
		return true
	}
	piece.Data = asLogged(bytes.Clone(piece.Data)) // some log drivers keep what is not UTF-8
	j.pieces = append(j.pieces, piece)
	for j.size += len(piece.Data); j.size > maxSearched; j.pieces = j.pieces[1:] {
		dropped := len(j.pieces[0].Data)
		j.size, j.before = j.size-dropped, j.before+dropped
	}
	return false
}

// find returns how many of the pieces have been printed, and what has been printed that is not in the log yet: a line
// without an end. It returns false if no place fits.
func (j *joint) find() (pieces int, unlogged []byte, ok bool) {
	if len(j.whole) == 0 {
		return j.findInLine()
	}
	best, longest := j.best()
	if longest == 0 {
		return 0, nil, false
	}
	unlogged = j.partial
	for best < len(j.pieces) && len(j.pieces[best].Data) <= len(unlogged) && bytes.HasPrefix(unlogged, j.pieces[best].Data) {
		unlogged = unlogged[len(j.pieces[best].Data):] // a piece of a long line
		best++
	}
	return best, unlogged, true
}

// best returns after how many pieces the place is, and the length of the match there, or 0 if no place fits.
func (j *joint) best() (pieces, length int) {
	matches := j.matches()
	nearest, shortest := -1, time.Duration(0)
	for i, match := range matches {
		if match == 0 {
			continue
		}
		if distance := j.distance(i); nearest < 0 || distance <= shortest {
			nearest, shortest = i, distance
		}
	}
	if nearest < 0 {
		return 0, 0
	}
	best, end := nearest, j.before
	for i, match := range matches {
		end += len(j.pieces[i].Data)
		switch {
		case j.fromStart && match > 0 && end == j.total && (j.total == len(j.whole) || j.distance(i) <= shortest+jointBurst):
			return i + 1, match
		case match > matches[best] && j.pieces[i].Time.Sub(j.pieces[nearest].Time).Abs() <= jointBurst:
			best = i
		}
	}
	return best + 1, matches[best]
}

// distance returns how far the stamps of the last lines up to a piece are from the arrival of the lines that were printed
// last, in the mean.
func (j *joint) distance(last int) time.Duration {
	var sum time.Duration
	compared := 0
	for i := last; i >= 0 && compared < len(j.ends); i-- {
		if bytes.HasSuffix(j.pieces[i].Data, []byte("\n")) {
			compared++
			sum += j.pieces[i].Time.Sub(j.ends[len(j.ends)-compared]).Abs()
		}
	}
	return sum / time.Duration(max(compared, 1))
}

// matches returns, for each piece, how many bytes before its end are the last of the whole lines: all of them, or all that
// the pieces have up to there. It is 0 if they differ.
func (j *joint) matches() []int {
	var text []byte
	for _, piece := range j.pieces {
		text = append(text, piece.Data...)
	}
	borders := fallbacks(j.whole)
	// The beginnings of the text with which the lines end: follow the lines along the text.
	start := text[:min(len(text), len(j.whole))]
	starts := fallbacks(start)
	length := 0
	for _, c := range j.whole[len(j.whole)-len(start):] {
		length = extend(start, starts, length, c)
	}
	fits := map[int]bool{}
	for ; length > 0; length = starts[length-1] {
		fits[length] = true
	}
	matches, end, matched, read := make([]int, len(j.pieces)), 0, 0, 0
	for i, piece := range j.pieces {
		for end += len(piece.Data); read < end; read++ {
			if matched == len(j.whole) {
				matched = borders[matched-1]
			}
			matched = extend(j.whole, borders, matched, text[read])
		}
		switch {
		case matched == len(j.whole) && end > 0:
			matches[i] = matched
		case fits[end]:
			matches[i] = end
		}
	}
	return matches
}

// findInLine finds the place inside a line that is longer than what is remembered, by the last piece that was printed.
func (j *joint) findInLine() (pieces int, unlogged []byte, ok bool) {
	for i, piece := range slices.Backward(j.pieces) {
		if at := bytes.LastIndex(j.partial, piece.Data); at >= 0 && len(piece.Data) > 0 {
			return i + 1, j.partial[at+len(piece.Data):], true
		}
	}
	return 0, nil, false
}

// fallbacks returns, for each prefix of pattern, the length of its longest proper prefix that is also a suffix of it (the
// table of Knuth, Morris and Pratt).
func fallbacks(pattern []byte) []int {
	table := make([]int, len(pattern))
	for i, k := 1, 0; i < len(pattern); i++ {
		k = extend(pattern, table, k, pattern[i])
		table[i] = k
	}
	return table
}

// extend returns the length of the longest prefix of pattern that is a suffix of text and next, given that of text alone.
func extend(pattern []byte, table []int, matched int, next byte) int {
	for matched > 0 && pattern[matched] != next {
		matched = table[matched-1]
	}
	if pattern[matched] == next {
		matched++
	}
	return matched
}
