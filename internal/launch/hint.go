// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"bytes"
	"context"
	"path"
	"slices"
	"strings"
	"time"

	"fabric-builder-docker/internal/docker"
)

// exitHints say what an exit status means that shells and inits give by convention.
var exitHints = map[int]string{
	126: "a program was found but cannot be executed: it lacks the permission, is for another processor, or is no program",
	127: "a program was not found: the one that starts the chaincode, one that a script of the image calls, " +
		"or the interpreter or loader that it needs",
}

// atOnce is how long a chaincode runs at most that cannot change its user or cannot read its key.
const atOnce = time.Second

// hintOf returns what may have been wrong with a chaincode that has failed, or "" if there is nothing to say.
func (l *launch) hintOf(ctx context.Context, s *session, container docker.Container) string {
	meaning := exitHints[container.ExitCode]
	advice := l.adviceForAnotherUser()
	failed := container.ExitCode != 0 && !container.OOMKilled
	switch {
	case !failed || advice == "" || container.Finished.Sub(container.Started) >= atOnce || !l.changesUser(ctx, s):
		return meaning
	case meaning == "", container.ExitCode == 127 && s.saysDenied(): // setpriv ends with 127 if it cannot change the user
		return advice
	}
	return meaning + "; " + advice
}

// userChangers are programs that entrypoints call to go from root to another user.
var userChangers = []string{"chpst", "gosu", "runuser", "s6-setuidgid", "setpriv", "setuidgid", "su", "su-exec", "sudo"}

// changesUser reports whether an image's entrypoint probably changes the user: it begins as root, and either names a program
// that does so or was denied something.
func (l *launch) changesUser(ctx context.Context, s *session) bool {
	image, err := l.engine.Image(ctx, s.image)
	if err != nil {
		return false
	}
	user, _, _ := strings.Cut(image.User, ":")
	if !slices.Contains([]string{"", "0", "root"}, user) {
		return false
	}
	return slices.ContainsFunc(slices.Concat(image.Entrypoint, image.Command), func(word string) bool {
		return slices.Contains(userChangers, path.Base(word))
	}) || s.saysDenied()
}

func (s *session) saysDenied() bool { return s.stdout.saysDenied() || s.stderr.saysDenied() }

// saysDenied reports whether the last output names the kernel's errors for a missing permission or capability. Run never
// decides anything by it.
func (w *streamWriter) saysDenied() bool {
	whole, partial := w.printed.lines()
	text := bytes.ToLower(append(whole, partial...))
	return bytes.Contains(text, []byte("permission denied")) || bytes.Contains(text, []byte("operation not permitted"))
}

// adviceForAnotherUser names the settings that a change of the user needs and that are not set, or returns "".
func (l *launch) adviceForAnotherUser() string {
	host, own := l.settings.VM.Docker.HostConfig, l.settings.Builder.Security
	var missing []string
	if own.DropCapabilities && !(adds(host.CapAdd, "SETUID") && adds(host.CapAdd, "SETGID")) {
		missing = append(missing, "SETUID and SETGID in vm.docker.hostConfig.CapAdd (or capAdd of an override)")
	}
	if l.chaincode.TLS() && own.KeyReader == "" {
		missing = append(missing, "that user in builder.security.keyReader (or keyReader of an override)")
	}
	if len(missing) == 0 {
		return ""
	}
	return "an entrypoint that goes from root to another user, as with gosu, su-exec or setpriv, needs " + strings.Join(missing, " and ")
}

// adds reports whether a list of capabilities, with or without CAP_, holds one.
func adds(capabilities []string, name string) bool {
	return slices.ContainsFunc(capabilities, func(capability string) bool {
		capability = strings.TrimPrefix(strings.ToUpper(capability), "CAP_")
		return capability == name || capability == "ALL"
	})
}
