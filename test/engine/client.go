// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// apiPath has the API version of Docker 20.10, the oldest engine to test with. Newer engines accept it too.
const apiPath = "/v1.41"

// Client calls an engine over HTTP. The tests' scaffolding does not use the client library, because that is what the
// tests test.
type Client struct {
	http *http.Client
	base string
}

// Error is an engine's error response.
type Error struct {
	Status  int
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%s (HTTP %d)", e.Message, e.Status) }

// NotFound reports whether an engine answered that the object does not exist.
func NotFound(err error) bool {
	var answer *Error
	return errors.As(err, &answer) && answer.Status == http.StatusNotFound
}

// NewClient returns a client for a host in the form of DOCKER_HOST: unix://, tcp:// or http://.
func NewClient(host string) (*Client, error) {
	u, err := url.Parse(host)
	if err != nil {
		return nil, fmt.Errorf("parsing the engine's address: %w", err)
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	transport := &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: 10 * time.Second}
	base := "http://engine"
	switch u.Scheme {
	case "unix":
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", u.Path)
		}
	case "tcp", "http":
		base, transport.DialContext = "http://"+u.Host, dialer.DialContext
	default:
		return nil, fmt.Errorf("parsing the engine's address: %q is neither unix:// nor tcp://", host)
	}
	return &Client{http: &http.Client{Transport: transport}, base: base}, nil
}

// Ping returns nil if the engine answers.
func (c *Client) Ping(ctx context.Context) error {
	response, err := c.send(ctx, http.MethodGet, "/_ping", nil, "")
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// Get decodes a JSON response into out.
func (c *Client) Get(ctx context.Context, path string, out any) error {
	return c.call(ctx, http.MethodGet, path, nil, "", out)
}

// Post sends in as JSON and decodes the response into out. Either may be nil.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		content, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encoding a request: %w", err)
		}
		body = bytes.NewReader(content)
	}
	return c.call(ctx, http.MethodPost, path, body, "application/json", out)
}

// Delete removes an object. If it does not exist, Delete returns nil.
func (c *Client) Delete(ctx context.Context, path string) error {
	err := c.call(ctx, http.MethodDelete, path, nil, "", nil)
	if NotFound(err) {
		return nil
	}
	return err
}

// Upload extracts a tar into a directory of a container.
func (c *Client) Upload(ctx context.Context, container, dir string, tar io.Reader) error {
	path := "/containers/" + container + "/archive?" + url.Values{"path": {dir}}.Encode()
	return c.call(ctx, http.MethodPut, path, tar, "application/x-tar", nil)
}

// Read returns the body of a response.
func (c *Client) Read(ctx context.Context, path string) ([]byte, error) {
	body, err := c.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

// Open returns the body of a response, which may be too large for the memory.
func (c *Client) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	response, err := c.send(ctx, http.MethodGet, apiPath+path, nil, "")
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}

// Stream posts a body and reads the engine's progress messages to their end, because an error may come in the last one.
// It calls sign, if not nil, for each message.
func (c *Client) Stream(ctx context.Context, path string, body io.Reader, sign func()) error {
	response, err := c.send(ctx, http.MethodPost, apiPath+path, body, "application/x-tar")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	for messages := json.NewDecoder(response.Body); ; {
		var message struct{ Error string }
		if err := messages.Decode(&message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading the engine's progress: %w", err)
		}
		if sign != nil {
			sign()
		}
		if message.Error != "" {
			return errors.New(strings.TrimSpace(message.Error))
		}
	}
}

func (c *Client) call(ctx context.Context, method, path string, body io.Reader, contentType string, out any) error {
	response, err := c.send(ctx, method, apiPath+path, body, contentType)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if out == nil {
		_, err := io.Copy(io.Discard, response.Body)
		return err
	}
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		return fmt.Errorf("reading the engine's answer to %s %s: %w", method, path, err)
	}
	return nil
}

// send returns the response if its status is a success, and an *Error otherwise.
func (c *Client) send(ctx context.Context, method, path string, body io.Reader, contentType string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("creating a request: %w", err)
	}
	if body != nil {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode < 400 {
		return response, nil
	}
	defer response.Body.Close()
	return nil, answerError(response)
}

func answerError(response *http.Response) error {
	content, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	var answer struct{ Message string }
	if json.Unmarshal(content, &answer) != nil || answer.Message == "" {
		answer.Message = strings.TrimSpace(string(content))
	}
	return &Error{Status: response.StatusCode, Message: answer.Message}
}

// pingSoon returns an error if an engine does not answer within 5 seconds.
func pingSoon(ctx context.Context, host string) error {
	client, err := NewClient(host)
	if err != nil {
		return err
	}
	defer client.http.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return client.Ping(ctx)
}
