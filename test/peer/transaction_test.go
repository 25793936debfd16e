// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"fabric-builder-docker/test/chat"
	"fabric-builder-docker/test/ours"
)

type result struct {
	response *Response
	err      error
}

// transact starts a transaction and returns the message that the chaincode receives, and a channel for the result.
func transact(t *testing.T, peer *fixture, c *chaincode, call Transaction) (*chat.ChaincodeMessage, <-chan result) {
	t.Helper()
	results := make(chan result, 1)
	go func() {
		response, err := peer.Transact(t.Context(), call)
		results <- result{response, err}
	}()
	return c.receive(), results
}

func parsed[M proto.Message](t *testing.T, raw []byte, message M) M {
	t.Helper()
	require.NoError(t, proto.Unmarshal(raw, message))
	return message
}

func ok(payload string) *chat.Response { return &chat.Response{Status: 200, Payload: []byte(payload)} }

func TestATransactionCarriesASignedProposal(t *testing.T) {
	peer := start(t, scripts{"run": waits})
	id := peer.install(t, "kv")
	c := connected(t, peer, id)

	message, results := transact(t, peer, c, Transaction{
		PackageID: id, Args: [][]byte{[]byte("get"), []byte("a")}, Transient: map[string][]byte{"secret": []byte("s")},
	})

	assert.Equal(t, chat.ChaincodeMessage_TRANSACTION, message.GetType())
	assert.Equal(t, "mychannel", message.GetChannelId())
	input := parsed(t, message.GetPayload(), &chat.ChaincodeInput{})
	assert.Equal(t, [][]byte{[]byte("get"), []byte("a")}, input.GetArgs())

	proposal := parsed(t, message.GetProposal().GetProposalBytes(), &chat.Proposal{})
	header := parsed(t, proposal.GetHeader(), &chat.Header{})
	channel := parsed(t, header.GetChannelHeader(), &chat.ChannelHeader{})
	assert.Equal(t, int32(3), channel.GetType())
	assert.Equal(t, message.GetTxid(), channel.GetTxId())
	assert.NotZero(t, channel.GetTimestamp().GetSeconds())

	signature := parsed(t, header.GetSignatureHeader(), &chat.SignatureHeader{})
	hash := sha256.Sum256(append(signature.GetNonce(), signature.GetCreator()...))
	assert.Equal(t, hex.EncodeToString(hash[:]), message.GetTxid())
	creator := parsed(t, signature.GetCreator(), &chat.SerializedIdentity{})
	assert.Equal(t, ours.MSPID, creator.GetMspid())
	block, _ := pem.Decode(creator.GetIdBytes())
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	err = cert.CheckSignature(x509.ECDSAWithSHA256, message.GetProposal().GetProposalBytes(), message.GetProposal().GetSignature())
	assert.NoError(t, err)
	payload := parsed(t, proposal.GetPayload(), &chat.ChaincodeProposalPayload{})
	assert.Equal(t, []byte("s"), payload.GetTransientMap()["secret"])

	c.send(chat.ChaincodeMessage_COMPLETED, ok("done"), message)
	got := <-results
	require.NoError(t, got.err)
	assert.Equal(t, &Response{Status: 200, Payload: []byte("done"), TxID: message.GetTxid()}, got.response)
}

func TestTheStateIsWrittenWhenTheTransactionSucceeds(t *testing.T) {
	peer := start(t, scripts{"run": waits})
	id := peer.install(t, "kv")
	c := connected(t, peer, id)
	call := Transaction{PackageID: id}
	get := func(message *chat.ChaincodeMessage, key string) []byte {
		t.Helper()
		answer := c.ask(chat.ChaincodeMessage_GET_STATE, &chat.GetState{Key: key}, message)
		require.Equal(t, chat.ChaincodeMessage_RESPONSE, answer.GetType())
		return answer.GetPayload()
	}
	complete := func(message *chat.ChaincodeMessage, results <-chan result, status int32) {
		t.Helper()
		c.send(chat.ChaincodeMessage_COMPLETED, &chat.Response{Status: status}, message)
		require.NoError(t, (<-results).err)
	}

	message, results := transact(t, peer, c, call)
	put := c.ask(chat.ChaincodeMessage_PUT_STATE, &chat.PutState{Key: "a", Value: []byte("1")}, message)
	assert.Equal(t, chat.ChaincodeMessage_RESPONSE, put.GetType())
	assert.Empty(t, get(message, "a"), "a transaction does not see its own writes")
	complete(message, results, 200)

	message, results = transact(t, peer, c, call)
	assert.Equal(t, "1", string(get(message, "a")))
	c.ask(chat.ChaincodeMessage_DEL_STATE, &chat.DelState{Key: "a"}, message)
	complete(message, results, 500)

	message, results = transact(t, peer, c, call)
	assert.Equal(t, "1", string(get(message, "a")), "a failed transaction changes nothing")
	c.ask(chat.ChaincodeMessage_DEL_STATE, &chat.DelState{Key: "a"}, message)
	c.ask(chat.ChaincodeMessage_PUT_STATE, &chat.PutState{Key: "b", Value: []byte("2"), Collection: "c"}, message)
	complete(message, results, 200)

	message, results = transact(t, peer, c, call)
	assert.Empty(t, get(message, "a"))
	assert.Empty(t, get(message, "b"), "a collection has its own keys")
	complete(message, results, 200)

	message, results = transact(t, peer, c, Transaction{PackageID: id, Channel: "other"})
	assert.Empty(t, get(message, "a"))
	refused := c.ask(chat.ChaincodeMessage_GET_QUERY_RESULT, &chat.GetState{}, message)
	assert.Equal(t, chat.ChaincodeMessage_ERROR, refused.GetType())
	complete(message, results, 200)
}

func TestTheStateSurvivesThePeer(t *testing.T) {
	first := start(t, scripts{"run": waits})
	id := first.install(t, "kv")
	c := connected(t, first, id)
	message, results := transact(t, first, c, Transaction{PackageID: id})
	c.ask(chat.ChaincodeMessage_PUT_STATE, &chat.PutState{Key: "a", Value: []byte("1")}, message)
	c.send(chat.ChaincodeMessage_COMPLETED, ok(""), message)
	require.NoError(t, (<-results).err)
	require.NoError(t, first.Close())

	second := restart(t, first.options, first.journal)
	c = connected(t, second, id)
	message, results = transact(t, second, c, Transaction{PackageID: id})
	answer := c.ask(chat.ChaincodeMessage_GET_STATE, &chat.GetState{Key: "a"}, message)
	assert.Equal(t, "1", string(answer.GetPayload()))
	c.send(chat.ChaincodeMessage_COMPLETED, ok(""), message)
	require.NoError(t, (<-results).err)
}

func TestAnInitialisationHasItsOwnType(t *testing.T) {
	peer := start(t, scripts{"run": waits})
	id := peer.install(t, "kv")
	c := connected(t, peer, id)
	message, results := transact(t, peer, c, Transaction{PackageID: id, Init: true})
	assert.Equal(t, chat.ChaincodeMessage_INIT, message.GetType())
	assert.True(t, parsed(t, message.GetPayload(), &chat.ChaincodeInput{}).GetIsInit())
	c.send(chat.ChaincodeMessage_ERROR, &chat.Response{}, message)
	assert.ErrorContains(t, (<-results).err, "transaction returned with failure")
}

func TestATransactionEndsWithTheStream(t *testing.T) {
	peer := start(t, scripts{"run": waits})
	id := peer.install(t, "kv")
	c := connected(t, peer, id)
	_, results := transact(t, peer, c, Transaction{PackageID: id})
	c.end()
	assert.ErrorIs(t, (<-results).err, ErrStreamTerminated)
	assert.False(t, peer.Connected(id), "the next one launches it again")
}

func TestATransactionTimesOut(t *testing.T) {
	peer := start(t, scripts{"run": waits}, func(o *Options) { o.ExecuteTimeout = 50 * time.Millisecond })
	id := peer.install(t, "kv")
	c := connected(t, peer, id)
	message, results := transact(t, peer, c, Transaction{PackageID: id})
	assert.ErrorIs(t, (<-results).err, ErrExecuteTimeout)
	answer := c.ask(chat.ChaincodeMessage_PUT_STATE, &chat.PutState{Key: "a"}, message)
	assert.Equal(t, chat.ChaincodeMessage_ERROR, answer.GetType())
	assert.Contains(t, string(answer.GetPayload()), "no ledger context")
}
