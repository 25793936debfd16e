// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"bytes"
	"hash/maphash"
	"slices"
	"time"
)

// LogPosition is how far a container's log has been read. The zero value is its beginning. It tells, by the log's time
// stamps, what of a later read is new, for each stream by itself: stamps are ordered within a stream, not over both. It is
// not safe for concurrent use.
//
// Of a stream, what is not later than the last stamp has been read. Stamps alone do not tell for what has that very stamp:
// the pieces of a long line share one, and podman's stamps are whole seconds, with thousands of pieces each. A log loses
// only its beginning, by rotation. So what a read brings with the last stamp begins with a (whole or shortened) end of
// what was read with it, and the longest piece of the one that begins the other is the repetition. With the whole second
// still in the log, this is exact; otherwise it could only be wrong for output that repeats itself within one stamp.
type LogPosition struct{ streams [2]streamPosition }

// LogPositionAt returns a position after everything in each stream that is older than a time by the engine's clock.
func LogPositionAt(stdout, stderr time.Time) LogPosition {
	return LogPosition{[2]streamPosition{{last: stdout}, {last: stderr}}}
}

// Advance moves the position past the next piece of the log.
func (p *LogPosition) Advance(piece LogPiece) {
	stream := p.stream(piece.Stderr)
	stream.held, stream.repeating = nil, false
	stream.take(piece)
}

// stream returns the position in one of the streams.
func (p *LogPosition) stream(stderr bool) *streamPosition {
	if stderr {
		return &p.streams[1]
	}
	return &p.streams[0]
}

// startRead prepares for a read that may repeat what was read before.
func (p *LogPosition) startRead() {
	for i := range p.streams {
		s := &p.streams[i]
		s.held, s.repeating, s.found = nil, len(s.pieces) > 0, false
	}
}

// found reports whether the read has met something that had been read before, or that is older than the position. If
// not, the log no longer holds what followed the position.
func (p *LogPosition) found() bool { return p.streams[0].found || p.streams[1].found }

// empty reports whether the position is the beginning of the log.
func (p *LogPosition) empty() bool { return p.streams[0].last.IsZero() && p.streams[1].last.IsZero() }

// earliest returns the last stamp of the stream that has been read less far, or zero for the beginning of the log.
func (p *LogPosition) earliest() time.Time {
	first, second := p.streams[0].last, p.streams[1].last
	if first.IsZero() || !second.IsZero() && second.Before(first) {
		return second
	}
	return first
}

// streamPosition is how far one stream has been read.
type streamPosition struct {
	last   time.Time // the last stamp
	pieces []uint64  // hashes of what was read with that stamp
	whole  bool      // the last of them ended a line

	repeating bool        // what comes with the last stamp may have been read before
	held      []heldPiece // what has come with it
	found     bool        // see LogPosition.found
}

var seed = maphash.MakeSeed()

func hashOf(piece LogPiece) uint64 { return maphash.Bytes(seed, piece.Data) }

// hasPassed reports whether a piece is certain to have been read before.
func (s *streamPosition) hasPassed(piece LogPiece) bool {
	if piece.Time.Equal(s.last) { // with whole seconds, any piece of that second may look the same
		return piece.Time.Nanosecond() != 0 && len(s.pieces) > 0 && s.pieces[0] == hashOf(piece)
	}
	return piece.Time.Before(s.last)
}

// take returns what is new, given the next piece of the stream. A following read may go back to what it has sent already,
// as engines do when they rotate the log.
func (s *streamPosition) take(piece LogPiece) []LogPiece {
	switch piece.Time.Compare(s.last) {
	case -1:
		s.held, s.repeating, s.found = nil, len(s.pieces) > 0, true
		return nil
	case +1:
		fresh := append(s.settle(), piece)
		s.last, s.pieces = piece.Time, s.pieces[:0]
		s.add(piece)
		return fresh
	}
	if !s.repeating && s.repeats(piece) {
		s.held, s.repeating = nil, true
	}
	if !s.repeating {
		s.add(piece)
		return []LogPiece{piece}
	}
	s.hold(piece)
	if len(s.held) < len(s.pieces) {
		return nil
	}
	return s.settle()
}

// heldPiece is a piece of which it is not known yet whether it is new.
type heldPiece struct {
	LogPiece
	hash  uint64
	known bool // it is not new, and its data is not kept
}

// hold keeps a piece. A line of any length has one stamp, so what repeats such a line from its beginning is known at once.
func (s *streamPosition) hold(piece LogPiece) {
	n, hash := len(s.held), hashOf(piece)
	known := piece.Time.Nanosecond() != 0 && n < len(s.pieces) && hash == s.pieces[n] && (n == 0 || s.held[n-1].known)
	if piece.Data = bytes.Clone(piece.Data); known {
		piece.Data = nil
	}
	s.held = append(s.held, heldPiece{piece, hash, known})
}

// repeats reports whether a piece with the last stamp begins a repetition within one read. Only the pieces of one line share
// a stamp of nanoseconds, and that line has ended.
func (s *streamPosition) repeats(piece LogPiece) bool {
	return s.whole && piece.Time.Nanosecond() != 0 && s.pieces[0] == hashOf(piece)
}

func (s *streamPosition) add(piece LogPiece) {
	s.pieces, s.whole = append(s.pieces, hashOf(piece)), bytes.HasSuffix(piece.Data, []byte("\n"))
}

// settle returns what is new of the pieces that have come with the last stamp.
func (s *streamPosition) settle() []LogPiece {
	if !s.repeating {
		return nil
	}
	hashes, known := make([]uint64, len(s.held)), 0
	for i, held := range s.held {
		hashes[i] = held.hash
		if held.known {
			known++
		}
	}
	known = max(known, overlap(s.pieces, hashes))
	var fresh []LogPiece
	for _, held := range s.held[known:] {
		s.add(held.LogPiece)
		fresh = append(fresh, held.LogPiece)
	}
	s.found = s.found || known > 0
	s.held, s.repeating = nil, false
	return fresh
}

// overlap returns the length of the longest end of before with which after begins.
func overlap(before, after []uint64) int {
	if slices.Equal(before, after) { // nearly always
		return len(before)
	}
	before = before[len(before)-min(len(before), len(after)):]
	fallback := make([]int, len(after)) // of each beginning of after, the longest other end of it with which after begins
	for i, k := 1, 0; i < len(after); i++ {
		k = extend(after, fallback, k, after[i])
		fallback[i] = k
	}
	length := 0
	for _, hash := range before {
		length = extend(after, fallback, length, hash)
	}
	return length
}

// extend returns how much of pattern matches the end of a text that goes on with next, given how much did before.
func extend(pattern []uint64, fallback []int, matched int, next uint64) int {
	for matched > 0 && pattern[matched] != next {
		matched = fallback[matched-1]
	}
	if len(pattern) > 0 && pattern[matched] == next {
		matched++
	}
	return matched
}
