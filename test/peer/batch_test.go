// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"

	"fabric-builder-docker/test/chat"
)

// unknown is a message with the encoding raw.
func unknown(t *testing.T, raw []byte) *emptypb.Empty {
	t.Helper()
	return parsed(t, raw, &emptypb.Empty{})
}

func appendBytes(raw []byte, number protowire.Number, value string) []byte {
	return protowire.AppendString(protowire.AppendTag(raw, number, protowire.BytesType), value)
}

// record returns a record of WRITE_BATCH_STATE, with metadata, which the peer skips.
func record(kind chat.ChaincodeMessage_Type, key, value, collection string) string {
	raw := appendBytes(appendBytes(appendBytes(nil, 1, key), 2, value), 3, collection)
	raw = appendBytes(raw, 4, "")
	return string(protowire.AppendVarint(protowire.AppendTag(raw, 5, protowire.VarintType), uint64(kind)))
}

func TestABatchIsWrittenAndSeveralKeysAreReadAtOnce(t *testing.T) {
	peer := start(t, scripts{"run": waits})
	id := peer.install(t, "kv")
	c := connected(t, peer, id)

	message, results := transact(t, peer, c, Transaction{PackageID: id})
	batch := appendBytes(nil, 1, record(chat.ChaincodeMessage_PUT_STATE, "a", "1", ""))
	batch = appendBytes(batch, 1, record(chat.ChaincodeMessage_PUT_STATE, "b", "2", ""))
	batch = appendBytes(batch, 1, record(chat.ChaincodeMessage_PUT_STATE, "a", "of c", "c"))
	batch = appendBytes(batch, 1, record(chat.ChaincodeMessage_DEL_STATE, "b", "", ""))
	answer := c.ask(chat.ChaincodeMessage_WRITE_BATCH_STATE, unknown(t, batch), message)
	require.Equal(t, chat.ChaincodeMessage_RESPONSE, answer.GetType(), "%s", answer.GetPayload())
	c.send(chat.ChaincodeMessage_COMPLETED, ok(""), message)
	require.NoError(t, (<-results).err)

	message, results = transact(t, peer, c, Transaction{PackageID: id})
	for collection, want := range map[string][]string{"": {"1", "", ""}, "c": {"of c", "", ""}} {
		keys := appendBytes(appendBytes(appendBytes(nil, 1, "a"), 1, "b"), 1, "z")
		keys = appendBytes(keys, 2, collection)
		answer = c.ask(chat.ChaincodeMessage_GET_STATE_MULTIPLE, unknown(t, keys), message)
		require.Equal(t, chat.ChaincodeMessage_RESPONSE, answer.GetType(), "%s", answer.GetPayload())
		var got []string
		require.NoError(t, eachField(answer.GetPayload(), func(_ protowire.Number, value []byte, _ uint64) error {
			got = append(got, string(value))
			return nil
		}))
		assert.Equal(t, want, got)
	}
	c.send(chat.ChaincodeMessage_COMPLETED, ok(""), message)
	require.NoError(t, (<-results).err)
}

func TestABadBatchIsRefused(t *testing.T) {
	peer := start(t, scripts{"run": waits})
	id := peer.install(t, "kv")
	c := connected(t, peer, id)
	message, results := transact(t, peer, c, Transaction{PackageID: id})
	for want, raw := range map[string][]byte{
		"unknown operation type": appendBytes(nil, 1, record(chat.ChaincodeMessage_GET_STATE, "a", "", "")),
		"unmarshal failed":       appendBytes(nil, 1, "\xff"),
	} {
		answer := c.ask(chat.ChaincodeMessage_WRITE_BATCH_STATE, unknown(t, raw), message)
		assert.Equal(t, chat.ChaincodeMessage_ERROR, answer.GetType())
		assert.Contains(t, string(answer.GetPayload()), "WRITE_BATCH_STATE failed: transaction ID: "+message.GetTxid()+": "+want)
	}
	c.send(chat.ChaincodeMessage_COMPLETED, ok(""), message)
	require.NoError(t, (<-results).err)
}
