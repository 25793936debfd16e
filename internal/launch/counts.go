// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"errors"
	"strconv"
	"time"

	"fabric-builder-docker/internal/figures"
)

// How long run waits until it is counted: usually for a millisecond.
const (
	saveBeside = 10 * time.Second       // while the chaincode runs, which does not wait for that
	saveAtEnd  = 2 * time.Second        // of the time that a signal leaves: many chaincodes may end at once
	saveAlways = 100 * time.Millisecond // also if it leaves none
)

// counts counts launches and their ends.
type counts struct{ *figures.Figures }

// countLaunch counts a launch that ended with err, or that has started the chaincode.
func (c counts) countLaunch(ctx context.Context, took time.Duration, err error, left time.Duration) {
	if err == nil {
		c.Add(figures.Launches, 1, figures.Started)
		c.Add(figures.LaunchSeconds, took.Seconds())
		go c.Save(saveBeside)
		return
	}
	result := figures.Failed
	switch {
	case errors.Is(err, errTakenOver):
		result = figures.Replaced
	case ctx.Err() != nil:
		result = figures.Stopped
	}
	c.Add(figures.Launches, 1, result)
	c.saveWithin(left)
}

// countExit counts how a chaincode has ended, or why run gives up with err.
func (c counts) countExit(e end, err error, left time.Duration) {
	cause, status := figures.Ended, e.status
	switch {
	case err != nil:
		cause, status = figures.Lost, exitUnknown
	case e.stopped != "":
		cause = figures.Stopped
	case e.takenOver:
		cause = figures.Replaced
	case e.gone:
		cause = figures.Removed
	}
	c.Add(figures.Exits, 1, cause, strconv.Itoa(status))
	if e.oomKilled {
		c.Add(figures.OOMKills, 1, figures.Chaincode)
	}
	c.saveWithin(left)
}

// saveWithin saves what was counted, at the end of run, in the time that a signal leaves.
func (c counts) saveWithin(left time.Duration) {
	c.Save(max(min(left, saveAtEnd), saveAlways))
}
