// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"
)

// twoBuilders starts two builders of one content at once. Both must succeed.
func twoBuilders(ctx context.Context, s *stage, t *tally) error {
	for round := range t.rounds {
		p := pack{kind: kinds[round%len(kinds)], work: 300 * time.Millisecond}.fresh()
		first, err := s.build(ctx, t, p, s.host)
		if err != nil {
			return err
		}
		if round%3 > 0 { // in a third of the rounds there is nothing between them
			if err := pauseFor(ctx, t.upTo(time.Second)); err != nil {
				return err
			}
		}
		second, err := s.build(ctx, t, p, s.host)
		if err != nil {
			return err
		}
		s.expectImage(ctx, t, first, fmt.Sprintf("round %d, the first", round+1))
		s.expectImage(ctx, t, second, fmt.Sprintf("round %d, the second", round+1))
	}
	return nil
}
