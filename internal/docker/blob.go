// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	readBlob = "/containerd.services.content.v1.Content/Read"

	maxAnswer   = 1 << 20 // bytes
	frameHeader = 5       // a byte that says whether the message is compressed, and its length
)

// Numbers of the fields used here of containerd's ReadContentRequest and ReadContentResponse.
const (
	requestDigest, requestSize protowire.Number = 1, 3
	responseData               protowire.Number = 2
)

// Blob returns the first size bytes of a blob in the engine's store, or all if size is 0. It fails if the answer has more than
// a mebibyte. Docker serves the blobs of containerd's store to BuildKit's clients by gRPC, since 29.2 at the endpoint of its
// API. That is not documented, so an error only means that the blob cannot be had in this way. Something in front of the
// engine that does not know HTTP/2 may leave the call waiting.
func (e *Engine) Blob(ctx context.Context, digest string, size int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	content, err := e.blob(ctx, digest, size)
	if err != nil {
		return nil, fmt.Errorf("reading blob %s from the engine's store: %w", digest, err)
	}
	return content, nil
}

func (e *Engine) blob(ctx context.Context, digest string, size int64) ([]byte, error) {
	message := protowire.AppendString(protowire.AppendTag(nil, requestDigest, protowire.BytesType), digest)
	message = protowire.AppendVarint(protowire.AppendTag(message, requestSize, protowire.VarintType), uint64(size))
	frame := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.base.JoinPath(readBlob).String(), bytes.NewReader(frame))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("TE", "trailers")
	answer, err := e.grpc.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if !strings.HasPrefix(answer.Header.Get("Content-Type"), "application/grpc") {
		return nil, fmt.Errorf("the answer is not gRPC (status %d)", answer.StatusCode)
	}
	frames, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case len(frames) > maxAnswer:
		return nil, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	if status := cmp.Or(answer.Trailer.Get("Grpc-Status"), answer.Header.Get("Grpc-Status")); status != "0" {
		text, _ := url.PathUnescape(cmp.Or(answer.Trailer.Get("Grpc-Message"), answer.Header.Get("Grpc-Message")))
		return nil, fmt.Errorf("gRPC status %q: %q", status, text)
	}
	return readFrames(frames)
}

// readFrames returns the content of a blob, which is sent in pieces.
func readFrames(frames []byte) (content []byte, err error) {
	for len(frames) > 0 {
		if len(frames) < frameHeader || frames[0] != 0 {
			return nil, errors.New("the answer is not a series of uncompressed frames")
		}
		end := frameHeader + int64(binary.BigEndian.Uint32(frames[1:]))
		if end > int64(len(frames)) {
			return nil, io.ErrUnexpectedEOF
		}
		eachField(frames[frameHeader:end], func(number protowire.Number, value []byte, _ uint64) {
			if number == responseData {
				content = append(content, value...)
			}
		})
		frames = frames[end:]
	}
	return content, nil
}
