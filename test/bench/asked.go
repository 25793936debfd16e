// SPDX-License-Identifier: Apache-2.0

package main

import "fmt"

// asked is the target of a row. Without a limit it only determines the form of the ratio.
type asked struct {
	of    quantity
	limit float64
}

// quantity selects the figure of a row that has the target.
type quantity int

const (
	nothing quantity = iota
	gain             // beside / ours, at least
	cost             // ours / beside, at most
	value            // ours, at most
)

// The results of verdict.
const (
	yes = "yes"
	no  = "NO"
)

// verdict returns yes or no, or "" if there is no target or nothing to compare.
func (r *row) verdict() string {
	if r.asked.limit == 0 || !r.measured() || r.asked.of != value && r.beside.empty() {
		return ""
	}
	reached := false
	switch r.asked.of {
	case gain:
		reached = r.gain() >= r.asked.limit
	case cost:
		reached = 1/r.gain() <= r.asked.limit
	case value:
		reached = r.ours.median() <= r.asked.limit
	}
	if reached {
		return yes
	}
	return no
}

// ratio returns the ratio in the form of the target, and otherwise how many times less ours takes.
func (r *row) ratio() string {
	if r.beside.empty() || !r.measured() {
		return ""
	}
	if r.asked.of == cost {
		return fmt.Sprintf("%.3f", 1/r.gain())
	}
	if gain := r.gain(); gain < 10 {
		return fmt.Sprintf("×%.3f", gain)
	}
	return fmt.Sprintf("×%.0f", r.gain())
}

func (a asked) String() string {
	switch {
	case a.limit == 0:
		return ""
	case a.of == gain:
		return fmt.Sprintf("at least ×%g", a.limit)
	case a.of == cost:
		return fmt.Sprintf("at most %g", a.limit)
	case a.of == value:
		return fmt.Sprintf("ours at most %g", a.limit)
	}
	return ""
}
