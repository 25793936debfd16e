// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// message is one JSON message in the engine's answer to a pull or a build.
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

// failure returns the error that the message reports, or "" if it reports none.
func (m message) failure() string {
	if m.ErrorDetail.Message != "" {
		return m.ErrorDetail.Message
	}
	return m.Error
}

// statusLine returns the message as a line to show, or "" for a progress bar.
func (m message) statusLine() string {
	if bar, ok := m.Progress.(map[string]any); m.Status == "" || ok && len(bar) > 0 {
		return ""
	}
	if m.ID != "" {
		return m.ID + ": " + m.Status
	}
	return m.Status
}

// failedMessage is an error that an engine reported in a stream.
type failedMessage string

func (f failedMessage) Error() string { return string(f) }

// readMessages calls handle for each of the engine's messages, up to the end or the first that reports a failure.
func readMessages(stream io.Reader, handle func(message) error) error {
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
		if err := handle(m); err != nil {
			return err
		}
	}
}
