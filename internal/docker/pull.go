package docker

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"
)

// Pull is one image to fetch.
type Pull struct {
	Ref         string // NAME, NAME:TAG or NAME@DIGEST; NAME alone means its tag latest
	Credentials Credentials
	Timeout     time.Duration // of the whole; 0: none
	Inactivity  time.Duration // without a sign of progress; 0: none
}

// Credentials let the engine into a registry. They reach the engine in a header, and no message of this package.
type Credentials struct {
	User          string
	Password      string
	IdentityToken string // in place of user and password
	Server        string // the registry's host
}

// A pull that was given up says why.
var (
	ErrPullTimeout = errors.New("the pull took too long")
	ErrPullStalled = errors.New("the registry was silent for too long")
)

// Pull fetches an image and reads the answer to its end: engines report a failure in the stream of a call that has
// begun well. Progress is called with one line for each step, without the progress bars.
func (e *Engine) Pull(ctx context.Context, pull Pull, progress func(line string)) error {
	ctx, alive, done := pull.limits(ctx)
	defer done()
	err := e.pull(ctx, pull, alive, func(line string) { progress(pull.Credentials.conceal(line)) })
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return pull.Credentials.concealed(fmt.Errorf("pulling image %q: %w", pull.Ref, err))
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
	return readMessages(stream, func(m message) error {
		alive()
		if line := m.step(); line != "" {
			progress(line)
		}
		return nil
	})
}

// limits is a context that ends when the pull takes too long, or when alive is not called for too long.
func (p Pull) limits(ctx context.Context) (limited context.Context, alive, done func()) {
	ctx, abandon := context.WithCancelCause(ctx)
	watches := []*time.Timer{}
	watch := func(limit time.Duration, reason error) *time.Timer {
		timer := time.AfterFunc(limit, func() { abandon(fmt.Errorf("%w: %v", reason, limit)) })
		watches = append(watches, timer)
		return timer
	}
	alive = func() {}
	if p.Timeout > 0 {
		watch(p.Timeout, ErrPullTimeout)
	}
	if p.Inactivity > 0 {
		silence := watch(p.Inactivity, ErrPullStalled)
		alive = func() { silence.Reset(p.Inactivity) }
	}
	return ctx, alive, func() {
		for _, timer := range watches {
			timer.Stop()
		}
		abandon(nil)
	}
}

// header is the credentials as engines take them; empty when there are none.
func (c Credentials) header() (string, error) {
	if c.Password == "" && c.IdentityToken == "" {
		return "", nil
	}
	return registry.EncodeAuthConfig(registry.AuthConfig{
		Username: c.User, Password: c.Password, IdentityToken: c.IdentityToken, ServerAddress: c.Server,
	})
}

// conceal takes the secrets out of what a registry or an engine says: nobody knows what it repeats.
func (c Credentials) conceal(text string) string {
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

// concealed is an error without the secrets in its text.
func (c Credentials) concealed(err error) error {
	text := err.Error()
	if shown := c.conceal(text); shown != text {
		return concealedError{shown, err}
	}
	return err
}

type concealedError struct {
	text string
	err  error
}

func (c concealedError) Error() string { return c.text }
func (c concealedError) Unwrap() error { return c.err }

// Tag gives an image another name.
func (e *Engine) Tag(ctx context.Context, image, name string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := e.api.ImageTag(ctx, image, name); err != nil {
		return fmt.Errorf("naming image %q %q: %w", image, name, err)
	}
	return nil
}

// Untag takes a name from an image that has others. One that is gone already is fine.
func (e *Engine) Untag(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := e.api.ImageRemove(ctx, name, image.RemoveOptions{}); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("taking the name %q from its image: %w", name, err)
	}
	return nil
}

// message is one JSON message of a pull or a build.
type message struct {
	Status      string          `json:"status"`
	Stream      string          `json:"stream"`
	ID          string          `json:"id"`
	Aux         json.RawMessage `json:"aux"`
	Progress    any             `json:"progressDetail"`
	Error       string          `json:"error"`
	ErrorDetail struct {
		Message string `json:"message"`
	} `json:"errorDetail"`
}

// failure is what the engine says went wrong; empty when nothing did.
func (m message) failure() string {
	if m.ErrorDetail.Message != "" {
		return m.ErrorDetail.Message
	}
	return m.Error
}

// step is a line for people; empty for progress bars.
func (m message) step() string {
	if bar, ok := m.Progress.(map[string]any); m.Status == "" || ok && len(bar) > 0 {
		return ""
	}
	if m.ID != "" {
		return m.ID + ": " + m.Status
	}
	return m.Status
}

// failedMessage is an error that an engine has reported in a stream.
type failedMessage string

func (f failedMessage) Error() string { return string(f) }

// readMessages reads an engine's messages to their end, or to the first that reports a failure.
func readMessages(stream io.Reader, take func(message) error) error {
	for decoder := json.NewDecoder(stream); ; {
		var m message
		switch err := decoder.Decode(&m); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading the engine's answer: %w", err)
		}
		if text := m.failure(); text != "" {
			return failedMessage(text)
		}
		if err := take(m); err != nil {
			return err
		}
	}
}
