package imagebuild

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// lateContext is one whose time is over and that does not say so yet.
type lateContext struct {
	context.Context
	deadline time.Time
}

func (l lateContext) Deadline() (time.Time, bool) { return l.deadline, true }

// A connection that is being made ends by a clock of its own, a moment before the context does.
func TestATimeOutIsTheReasonThoughTheConnectionToldFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Millisecond, func() { end(ErrTimeout) })
		b := &Builder{Periods: Periods{Build: time.Minute}}
		err := b.explain(lateContext{ctx, time.Now()}, errors.New("i/o timeout"))
		assert.EqualError(t, err, "the build took too long: more than 1m0s, see builder.buildTimeout")
	})
}
