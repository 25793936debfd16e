// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"fabric-builder-docker/internal/docker"
)

// Remover lists the calls that Prune needs.
type Remover interface {
	Engine
	Lookup(ctx context.Context, id string) (docker.Container, error)
	RemoveStopped(ctx context.Context, id string) error
	RemoveUnnamed(ctx context.Context, id string) error
	RemoveVolume(ctx context.Context, name string) error
	Tag(ctx context.Context, image, name string) error
	Untag(ctx context.Context, name string) error
}

// errInUse means that an item has come into use since it was examined.
var errInUse = errors.New("it is in use by now")

// Prune removes what was planned to go, unless it may no longer go by now: builds and launches begin at any moment. It examines
// everything again before containers, images and volumes, and the engine itself refuses what a container uses. What comes
// into use at the very moment of its removal is made again by builds and launches, as after any other prune.
//
// After each item it calls report, with nil if the item is gone. It ends with an error only if the engine is not there.
func Prune(ctx context.Context, engine Remover, directories []string, rules Rules, planned []Item, report func(Item, error)) error {
	for _, what := range []string{"container", "image", "volume"} {
		state, err := Gather(ctx, engine, directories, rules.KeepSize != nil)
		if err != nil {
			return err
		}
		for _, item := range Examine(state, rules) {
			switch {
			case item.What != what:
				continue
			case item.mark:
				err = mark(ctx, engine, item)
			case item.Remove != "" && slices.ContainsFunc(planned, item.isSame):
				err = remove(ctx, engine, item)
				report(item, err)
			}
			switch {
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case docker.IsUnreachable(err):
				return err
			}
		}
	}
	return nil
}

func (i Item) isSame(other Item) bool {
	return other.Remove != "" && other.What == i.What && other.ID == i.ID && other.Name == i.Name
}

// mark makes the engine note the time as that at which an image got its name, from which its age counts then.
func mark(ctx context.Context, engine Remover, item Item) error {
	for _, name := range item.names {
		if err := engine.Tag(ctx, name, name); err != nil {
			return err
		}
	}
	return nil
}

func remove(ctx context.Context, engine Remover, item Item) error {
	switch {
	case item.What == "container":
		now, err := engine.Lookup(ctx, item.ID)
		switch {
		case errors.Is(err, docker.ErrNoContainer):
			return nil
		case err != nil:
			return err
		case now.IsRunning():
			return errInUse
		}
		return inUse(engine.RemoveStopped(ctx, item.ID))
	case item.What == "volume":
		return inUse(engine.RemoveVolume(ctx, item.Name))
	case len(item.names) == 0:
		return inUse(engine.RemoveUnnamed(ctx, item.ID))
	}
	for _, name := range item.names {
		now, err := engine.Image(ctx, name)
		switch {
		case errors.Is(err, docker.ErrNoImage):
			continue
		case err == nil && now.ID != item.ID:
			return errInUse // another image has the name
		case err == nil:
			err = engine.Untag(ctx, name)
		}
		if err != nil {
			return inUse(err)
		}
	}
	return nil
}

func inUse(err error) error {
	if docker.IsInUse(err) {
		return fmt.Errorf("%w: %w", errInUse, err)
	}
	return err
}

// IsInUse reports whether something was not removed because it has come into use.
func IsInUse(err error) bool { return errors.Is(err, errInUse) }

// Notes says what cannot be known, and what is left to the operator.
func Notes(s State, items []Item) []string {
	var notes []string
	switch unknown := UnknownPeers(s); {
	case s.Directories == 0:
		notes = append(notes, "no BUILDS_DIR was given, so all images, snapshots and caches with a name stay: give the BUILDS_DIR of every peer of this engine")
	case len(unknown) > 0:
		notes = append(notes, "chaincodes of peers are here whose BUILDS_DIR was not given, so all images, snapshots and caches with a name stay: "+strings.Join(unknown, ", "))
	default:
		notes = append(notes, "a peer that has no container here cannot be noticed: give the BUILDS_DIR of every peer of this engine")
	}
	for _, unread := range s.Unread {
		notes = append(notes, "it is not known what this build needs, so all images, snapshots and caches with a name stay: "+unread)
	}
	marks := 0
	for _, item := range items {
		if item.mark {
			marks++
		}
	}
	if marks > 0 {
		notes = append(notes, fmt.Sprintf("the engine does not know the age of %d images that no given peer needs: --yes has it counted from now on, and a later prune removes them", marks))
	}
	if s.Usage.BuildCache > 0 {
		notes = append(notes, fmt.Sprintf("BuildKit's cache, of all builds of this engine, holds %s; docker builder prune empties it", Size(s.Usage.BuildCache)))
	}
	return notes
}

// Plan writes a table of what may go, of why the rest stays, and the notes.
func Plan(w io.Writer, items []Item, notes []string, now time.Time) error {
	rows := [][]string{{"REMOVE", "KIND", "SIZE", "AGE", "NAME", "BECAUSE"}}
	kept := map[string]int{}
	for _, item := range items {
		if item.Remove != "" {
			rows = append(rows, []string{item.What, item.Kind, item.size(), item.age(now), item.Title(), item.Remove})
		} else {
			kept[item.What+"\t"+item.Keep]++
		}
	}
	if err := Table(w, rows); err != nil {
		return err
	}
	rows = [][]string{{"KEEP", "NUMBER", "BECAUSE"}}
	for key, number := range kept {
		what, why, _ := strings.Cut(key, "\t")
		rows = append(rows, []string{what, strconv.Itoa(number), why})
	}
	slices.SortFunc(rows[1:], slices.Compare)
	fmt.Fprintln(w)
	if err := Table(w, rows); err != nil {
		return err
	}
	for _, note := range notes {
		fmt.Fprintf(w, "\nNote: %s\n", note)
	}
	return nil
}

// ParseAge reads a duration such as 90m, or a number of days such as 30d.
func ParseAge(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	age, err := time.ParseDuration(text)
	if err != nil || age <= 0 {
		return 0, fmt.Errorf("invalid age %q: expected a duration such as 12h or 30d", text)
	}
	return age, nil
}

// ParseSize reads a size such as 20GB, in powers of 1000.
func ParseSize(text string) (int64, error) {
	number, factor := strings.TrimSuffix(strings.ToUpper(text), "B"), int64(1)
	for i, unit := range []string{"K", "M", "G", "T"} {
		if digits, ok := strings.CutSuffix(number, unit); ok {
			number = digits
			for range i + 1 {
				factor *= 1000
			}
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/factor {
		return 0, fmt.Errorf("invalid size %q: expected one such as 500MB or 20GB", text)
	}
	return n * factor, nil
}
