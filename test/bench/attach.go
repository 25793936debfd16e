// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// attachment is the stream of a container's output. Docker upgrades the connection of the request, so it needs a
// connection to itself.
type attachment struct {
	connection net.Conn
	output     io.Reader
}

// attachLimit bounds the request, and reading the rest of the output after a container has ended.
const attachLimit = 10 * time.Second

func attach(ctx context.Context, host, id string) (*attachment, error) {
	connection, err := dial(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("attaching to a container: %w", err)
	}
	output, err := requestOutput(ctx, connection, id)
	if err != nil {
		connection.Close()
		return nil, fmt.Errorf("attaching to a container: %w", err)
	}
	return &attachment{connection, output}, nil
}

func dial(ctx context.Context, host string) (net.Conn, error) {
	address, err := url.Parse(host)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: attachLimit}
	if address.Scheme == "unix" {
		return dialer.DialContext(ctx, "unix", address.Path)
	}
	return dialer.DialContext(ctx, "tcp", address.Host)
}

func requestOutput(ctx context.Context, connection net.Conn, id string) (io.Reader, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost,
		"http://engine/v1.41/containers/"+id+"/attach?logs=1&stream=1&stdout=1&stderr=1", nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "tcp")
	if err := connection.SetDeadline(time.Now().Add(attachLimit)); err != nil {
		return nil, err
	}
	if err := request.Write(connection); err != nil {
		return nil, err
	}
	reader := bufio.NewReader(connection)
	response, err := http.ReadResponse(reader, request)
	if err != nil {
		return nil, err
	}
	switch response.StatusCode {
	case http.StatusSwitchingProtocols:
		return reader, connection.SetDeadline(time.Time{})
	case http.StatusOK:
		return response.Body, connection.SetDeadline(time.Time{})
	}
	return nil, fmt.Errorf("the engine answers %s", response.Status)
}

// drain reads the output of a container that has ended. The built-in does not read earlier.
func (a *attachment) drain() []byte {
	_ = a.connection.SetReadDeadline(time.Now().Add(attachLimit))
	said, _ := io.ReadAll(a.output) // An incomplete output changes no figure.
	return said
}

func (a *attachment) close() { _ = a.connection.Close() }
