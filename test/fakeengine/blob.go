// SPDX-License-Identifier: Apache-2.0

package fakeengine

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"

	"google.golang.org/protobuf/encoding/protowire"
)

// readBlob is the call of containerd's content service that sends a blob.
const readBlob = "POST /containerd.services.content.v1.Content/Read"

// BlobService makes the engine serve the blobs of its store by gRPC, as Docker has done with containerd's store since 29.2.
func BlobService() Option {
	return func(e *Engine) { e.protocols.SetUnencryptedHTTP2(true) }
}

// blob sends a blob that describes an image, in two pieces.
func (e *Engine) blob(c *Call) {
	request, _ := io.ReadAll(c.r.Body)
	_, _, tag := protowire.ConsumeTag(request[5:])
	wanted, _ := protowire.ConsumeString(request[5+tag:])
	c.w.Header().Set("Content-Type", "application/grpc")
	content := e.findBlob(wanted)
	if content == nil {
		c.w.Header().Set("Grpc-Status", "5")
		c.w.Header().Set("Grpc-Message", "content "+wanted+": not found")
		return
	}
	half := len(content) / 2
	c.w.Write(pieceOf(0, content[:half]))
	c.w.Write(pieceOf(half, content[half:]))
	c.w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
}

// pieceOf returns a ReadContentResponse in its frame.
func pieceOf(offset int, data []byte) []byte {
	message := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(offset))
	message = protowire.AppendBytes(protowire.AppendTag(message, 2, protowire.BytesType), data)
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

// findBlob returns a blob that describes an image, something for a layer, or nil.
func (e *Engine) findBlob(wanted string) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.blobs()[wanted] {
		return []byte("p")
	}
	for _, image := range e.images {
		for _, blob := range image.descriptions() {
			if "sha256:"+digestOf(blob) == wanted {
				return blob
			}
		}
	}
	return nil
}

// descriptions returns the blobs that describe an image of containerd's store, the manifest last.
func (i *Image) descriptions() [][]byte {
	if i.described != nil {
		return i.described
	}
	return i.describe()
}

// describe describes an image that was pulled. Images that differ have different descriptions.
func (i *Image) describe() [][]byte {
	var described struct {
		configuration
		Comment string `json:"comment"`
	}
	described.RootFS.DiffIDs, described.Comment = i.Layers, i.sum()
	config, _ := json.Marshal(described)
	text, _ := json.Marshal(manifest{descriptor{Digest: "sha256:" + digestOf(config), Size: int64(len(config))}, i.blobsOf()})
	return [][]byte{config, text}
}
