// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"
)

// Pull describes an image to pull.
type Pull struct {
	Ref         string // NAME, NAME:TAG or NAME@DIGEST; NAME alone means NAME:latest
	Credentials Credentials
	Timeout     time.Duration // limit of the whole pull; 0: none
	Inactivity  time.Duration // limit of the time without progress; 0: none

	Progress func(PullProgress) // is called whenever the engine says how far the pull is; nil: nobody is told
}

// Credentials authenticate the engine to a registry. They are sent to the engine in a header, and appear in no error or
// progress line of this package.
type Credentials struct {
	User          string
	Password      string
	IdentityToken string // in place of user and password
	Server        string // the registry's host
}

// Reasons why a pull was cancelled.
var (
	ErrPullTimeout = errors.New("the pull took too long")
	ErrPullStalled = errors.New("the pull made no progress for too long")
)

// Pull pulls an image. It reads the engine's answer to the end, because engines report a failure in the body of an
// answer with status 200. It calls progress with one line for each step, without the progress bars.
func (e *Engine) Pull(ctx context.Context, pull Pull, progress func(line string)) error {
	ctx, alive, done := pull.withLimits(ctx)
	defer done()
	err := e.pull(ctx, pull, alive, func(line string) { progress(pull.Credentials.redact(line)) })
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return pull.Credentials.redactError(fmt.Errorf("pulling image %q: %w", pull.Ref, err))
}

func (e *Engine) pull(ctx context.Context, pull Pull, alive func(), progress func(line string)) error {
	auth, err := pull.Credentials.header()
	if err != nil {
		return err
	}
	stream, err := e.api.ImagePull(ctx, pull.Ref, image.PullOptions{RegistryAuth: auth})
	if err != nil {
		return err
	}
	defer stream.Close()
	layers := layers{}
	return readMessages(stream, func(m message) error {
		alive()
		if layers.note(m) && pull.Progress != nil {
			pull.Progress(layers.progress())
		}
		if line := m.statusLine(); line != "" {
			progress(line)
		}
		return nil
	})
}

// withLimits returns a context that ends when the pull takes too long, or when alive is not called for too long. The
// caller calls done at the end.
func (p Pull) withLimits(ctx context.Context) (limited context.Context, alive, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	timers := []*time.Timer{}
	cancelAfter := func(limit time.Duration, reason error) *time.Timer {
		timer := time.AfterFunc(limit, func() { cancel(fmt.Errorf("%w: %v", reason, limit)) })
		timers = append(timers, timer)
		return timer
	}
	alive = func() {}
	if p.Timeout > 0 {
		cancelAfter(p.Timeout, ErrPullTimeout)
	}
	if p.Inactivity > 0 {
		inactivity := cancelAfter(p.Inactivity, ErrPullStalled)
		alive = func() { inactivity.Reset(p.Inactivity) }
	}
	return ctx, alive, func() {
		for _, timer := range timers {
			timer.Stop()
		}
		cancel(nil)
	}
}

// header returns the credentials in the form of the X-Registry-Auth header, or "" if there are none.
func (c Credentials) header() (string, error) {
	if c.Password == "" && c.IdentityToken == "" {
		return "", nil
	}
	return registry.EncodeAuthConfig(registry.AuthConfig{
		Username: c.User, Password: c.Password, IdentityToken: c.IdentityToken, ServerAddress: c.Server,
	})
}

// redact replaces the secrets in a text from a registry or an engine, which may repeat what it was sent.
func (c Credentials) redact(text string) string {
	header, _ := c.header()
	for _, secret := range []string{c.Password, c.IdentityToken, header} {
		if secret == "" {
			continue
		}
		for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(c.User + ":" + secret))} {
			text = strings.ReplaceAll(text, form, "***")
		}
	}
	return text
}

// redactError replaces the secrets in the text of an error.
func (c Credentials) redactError(err error) error {
	text := err.Error()
	if redacted := c.redact(text); redacted != text {
		return redactedError{redacted, err}
	}
	return err
}

type redactedError struct {
	text string
	err  error
}

func (r redactedError) Error() string { return r.text }
func (r redactedError) Unwrap() error { return r.err }
