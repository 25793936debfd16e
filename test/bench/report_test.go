// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func figures(values ...float64) series { return series{values} }

func beside(values ...float64) *series { return &series{values} }

func TestTheMedianIsTheMiddleOne(t *testing.T) {
	for want, values := range map[float64][]float64{
		3:   {3},
		2:   {3, 1, 2},
		2.5: {4, 1, 3, 2},
	} {
		s := figures(values...)
		assert.Equal(t, want, s.median(), values)
	}
	s := figures(3, 1, 2)
	s.median()
	assert.Equal(t, []float64{3, 1, 2}, s.values, "in the order in which they were measured")
}

func TestWhatIsAskedIsJudged(t *testing.T) {
	tests := []struct {
		name        string
		r           row
		ratio, want string
	}{
		{"gain reached", row{ours: figures(2), beside: beside(50), asked: asked{gain, 25}}, "×25", yes},
		{"gain missed", row{ours: figures(2), beside: beside(49), asked: asked{gain, 25}}, "×24", no},
		{"a small gain", row{ours: figures(2), beside: beside(2.4), asked: asked{gain, 1.2}}, "×1.200", yes},
		{"cost reached", row{ours: figures(11), beside: beside(10), asked: asked{cost, 1.1}}, "1.100", yes},
		{"cost missed", row{ours: figures(12), beside: beside(10), asked: asked{cost, 1.1}}, "1.200", no},
		{"cost told, nothing asked", row{ours: figures(12), beside: beside(10), asked: asked{of: cost}}, "1.200", ""},
		{"value reached", row{ours: figures(1), asked: asked{value, 1}}, "", yes},
		{"value missed", row{ours: figures(2), asked: asked{value, 1}}, "", no},
		{"nothing asked", row{ours: figures(2), beside: beside(4)}, "×2.000", ""},
		{"nothing measured", row{beside: beside(4), asked: asked{gain, 2}}, "", ""},
		{"nothing measured beside it", row{ours: figures(4), beside: beside(), asked: asked{gain, 2}}, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			assert.Equal(t, test.want, test.r.verdict())
			assert.Equal(t, test.ratio, test.r.ratio())
		})
	}
}

func TestWhatIsNotReachedIsAnError(t *testing.T) {
	var r report
	r.add(row{section: "S", name: "good", ours: figures(1), beside: beside(5), asked: asked{gain, 2}})
	assert.NoError(t, r.verdict())
	r.add(row{section: "S", name: "bad", unit: seconds, way: "another", ours: figures(1), beside: beside(5), asked: asked{gain, 6}})
	assert.EqualError(t, r.verdict(), "not reached: S, bad: ours 1.00 s, another 5.00 s, ratio ×5.000, target at least ×6: NO")
}

func TestARowMayStandBesideTheFiguresOfAnother(t *testing.T) {
	var r report
	first := r.add(row{way: builtIn})
	again := r.add(row{way: builtIn, beside: first.beside})
	first.beside.add(30)
	again.ours.add(0.1)
	assert.InDelta(t, 300, again.gain(), 0.001)
}
