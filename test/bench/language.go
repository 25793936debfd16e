package main

import (
	"context"
	"fmt"
)

// language is a sample in one round: the package that was installed first, when caches were empty.
type language struct {
	*bench
	of    sample
	dir   string // the source
	name  string // of the chaincode, in labels
	round int    // that first belongs to, and 0 before the first one
	first []byte
}

func (b *bench) language(of sample, dir, name string) *language {
	return &language{bench: b, of: of, dir: dir, name: name}
}

// new is a package that nobody has built before.
func (l *language) new(dir, label string, round int) ([]byte, error) {
	l.made++
	return l.sources.pack(l.of, dir, label, fmt.Sprintf("%s %d %d", l.salt, round, l.made))
}

// installFirst empties the caches and makes the first install of a round, as the case that measures it does.
func (l *language) installFirst(ctx context.Context, round int, figures *series) error {
	if err := l.forget(ctx); err != nil {
		return err
	}
	pkg, err := l.new(l.dir, l.name+"_1.0", round)
	if err != nil {
		return err
	}
	took, err := l.ours(ctx, pkg)
	if err != nil {
		return err
	}
	figures.took(took)
	l.first, l.round = pkg, round+1
	return nil
}

// ready makes sure that the first install of the round has been.
func (l *language) ready(ctx context.Context, round int) error {
	if l.round == round+1 {
		return nil
	}
	return l.installFirst(ctx, round, &series{})
}

// firstCase measures the first install with empty caches.
func (l *language) firstCase(name string, r *row) benchCase {
	return benchCase{name: name, rows: []*row{r}, measure: func(ctx context.Context, round int) error {
		if err := l.installFirst(ctx, round, &r.ours); err != nil {
			return err
		}
		pkg, err := l.new(l.dir, l.name+"_1.0", round)
		if err != nil {
			return err
		}
		return l.beside(ctx, pkg, r)
	}}
}

// newCase measures a package that is new, with the caches that the first install has left. What source makes comes
// from this directory; an upgrade has another label, too.
func (l *language) newCase(name, label string, r *row, source func(context.Context) (string, error)) benchCase {
	return benchCase{name: name, rows: []*row{r}, measure: func(ctx context.Context, round int) error {
		if err := l.ready(ctx, round); err != nil {
			return err
		}
		dir, err := source(ctx)
		if err != nil {
			return err
		}
		pkg, err := l.new(dir, fmt.Sprintf("%s.%d", label, round), round)
		if err != nil {
			return err
		}
		took, err := l.ours(ctx, pkg)
		if err != nil {
			return err
		}
		r.ours.took(took)
		if pkg, err = l.new(dir, fmt.Sprintf("%s.%d", label, round), round); err != nil {
			return err
		}
		return l.beside(ctx, pkg, r)
	}}
}

// againCase measures what is built already, several times a round: it is quick.
func (l *language) againCase(name string, r *row) benchCase {
	const times = 5
	return benchCase{name: name, rows: []*row{r}, measure: func(ctx context.Context, round int) error {
		if err := l.ready(ctx, round); err != nil {
			return err
		}
		for range times {
			took, err := l.ours(ctx, l.first)
			if err != nil {
				return err
			}
			r.ours.took(took)
		}
		return nil
	}}
}

// beside builds the built-in's way.
func (l *language) beside(ctx context.Context, pkg []byte, r *row) error {
	took, err := l.besides(ctx, pkg)
	if err != nil {
		return err
	}
	r.beside.took(took)
	return nil
}

// as is a source that is there already.
func as(dir string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return dir, nil }
}
