// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"fabric-builder-docker/test/chat"
)

var (
	// ErrStreamTerminated means that the chaincode's stream ended during the transaction.
	ErrStreamTerminated = errors.New("error sending: chaincode stream terminated")
	// ErrExecuteTimeout means that the chaincode did not answer in time.
	ErrExecuteTimeout = errors.New("error sending: timeout expired while executing transaction")
)

// errorThreshold is the lowest status of a response that changes no state.
const errorThreshold = 400

// Transaction is an invocation of a chaincode.
type Transaction struct {
	PackageID string
	// Channel defaults to the peer's.
	Channel string
	// Name is the chaincode's name on the channel, which owns the state. It defaults to the package's label; set it to
	// upgrade a chaincode.
	Name string
	Args [][]byte
	// Init sends INIT, for a chaincode that requires initialisation.
	Init      bool
	Transient map[string][]byte
}

// Response is a chaincode's response.
type Response struct {
	Status  int32
	Message string
	Payload []byte
	TxID    string
	// Event is the name of the event that the chaincode set, if any.
	Event string
}

// Invoke runs a transaction on the peer's channel.
func (p *Peer) Invoke(ctx context.Context, packageID string, args ...string) (*Response, error) {
	raw := make([][]byte, len(args))
	for i, arg := range args {
		raw[i] = []byte(arg)
	}
	return p.Transact(ctx, Transaction{PackageID: packageID, Args: raw})
}

// Transact runs a transaction, after launching the chaincode if it is not connected. A response with a status below 400
// changes the state.
func (p *Peer) Transact(ctx context.Context, call Transaction) (*Response, error) {
	if call.Channel == "" {
		call.Channel = p.opts.Channel
	}
	if call.Name == "" {
		call.Name = labelOf(call.PackageID)
	}
	if _, err := p.Launch(ctx, call.PackageID); err != nil {
		return nil, fmt.Errorf("could not launch chaincode %s: %w", call.PackageID, err)
	}
	h := p.registry.handler(call.PackageID)
	if h == nil {
		return nil, fmt.Errorf("claimed to start chaincode container for %s but could not find handler", call.PackageID)
	}
	t, message, err := p.newTransaction(call)
	if err != nil {
		return nil, err
	}
	h.begin(t)
	defer h.forget(t)
	// A failed send means that the stream is ending. Waiting for the end makes the next transaction launch the
	// chaincode again.
	sendErr := h.send(message)
	answer, err := t.wait(ctx, h, p.opts.ExecuteTimeout)
	if err != nil {
		return nil, errors.Join(err, sendErr)
	}
	return t.finish(answer)
}

// transaction is a transaction in progress.
type transaction struct {
	id, channel, name string
	state             *state
	writes            []write // only the stream's goroutine appends to it
	answer            chan *chat.ChaincodeMessage
}

func (p *Peer) newTransaction(call Transaction) (*transaction, *chat.ChaincodeMessage, error) {
	nonce, txID := p.client.newNonce()
	input := &chat.ChaincodeInput{Args: call.Args, IsInit: call.Init}
	proposal, err := p.client.propose(call, call.Name, txID, nonce, input)
	if err != nil {
		return nil, nil, err
	}
	payload, err := proto.Marshal(input)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding input: %w", err)
	}
	message := &chat.ChaincodeMessage{
		Type: chat.ChaincodeMessage_TRANSACTION, Payload: payload,
		Txid: txID, ChannelId: call.Channel, Proposal: proposal,
	}
	if call.Init {
		message.Type = chat.ChaincodeMessage_INIT
	}
	return &transaction{
		id: txID, channel: call.Channel, name: call.Name, state: p.state,
		answer: make(chan *chat.ChaincodeMessage, 1),
	}, message, nil
}

func (t *transaction) key() string { return transactionKey(t.channel, t.id) }

func transactionKey(channel, txID string) string { return channel + "\x00" + txID }

func (t *transaction) wait(ctx context.Context, h *handler, period time.Duration) (*chat.ChaincodeMessage, error) {
	timer := time.NewTimer(period)
	defer timer.Stop()
	select {
	case answer := <-t.answer:
		return answer, nil
	case <-h.ended:
		return nil, ErrStreamTerminated
	case <-timer.C:
		return nil, ErrExecuteTimeout
	case <-ctx.Done():
		return nil, fmt.Errorf("executing transaction: %w", context.Cause(ctx))
	}
}

// accessState reads or writes the state. As in Fabric, a transaction does not see its own writes.
func (t *transaction) accessState(message *chat.ChaincodeMessage) ([]byte, error) {
	if t == nil {
		return nil, errors.New("no ledger context")
	}
	switch message.GetType() {
	case chat.ChaincodeMessage_GET_STATE:
		get := &chat.GetState{}
		err := proto.Unmarshal(message.GetPayload(), get)
		return t.state.get(t.stateKey(get.GetCollection(), get.GetKey())), err
	case chat.ChaincodeMessage_PUT_STATE:
		put := &chat.PutState{}
		err := proto.Unmarshal(message.GetPayload(), put)
		t.writes = append(t.writes, write{key: t.stateKey(put.GetCollection(), put.GetKey()), value: put.GetValue()})
		return nil, err
	case chat.ChaincodeMessage_DEL_STATE:
		del := &chat.DelState{}
		err := proto.Unmarshal(message.GetPayload(), del)
		t.writes = append(t.writes, write{key: t.stateKey(del.GetCollection(), del.GetKey()), delete: true})
		return nil, err
	case chat.ChaincodeMessage_WRITE_BATCH_STATE:
		return nil, t.writeBatch(message.GetPayload())
	case chat.ChaincodeMessage_GET_STATE_MULTIPLE:
		return t.getMultiple(message.GetPayload())
	default:
		return nil, errors.New("not supported by the test peer")
	}
}

func (t *transaction) stateKey(collection, key string) string {
	return stateKey(t.channel, t.name, collection, key)
}

// finish commits the writes of a successful transaction and returns the response.
func (t *transaction) finish(answer *chat.ChaincodeMessage) (*Response, error) {
	if answer.GetType() == chat.ChaincodeMessage_ERROR {
		return nil, fmt.Errorf("transaction returned with failure: %s", answer.GetPayload())
	}
	response := &chat.Response{}
	if err := proto.Unmarshal(answer.GetPayload(), response); err != nil {
		return nil, fmt.Errorf("parsing response: %w", err)
	}
	if response.GetStatus() < errorThreshold {
		if err := t.state.commit(t.writes); err != nil {
			return nil, err
		}
	}
	return &Response{
		Status: response.GetStatus(), Message: response.GetMessage(), Payload: response.GetPayload(),
		TxID: t.id, Event: answer.GetChaincodeEvent().GetEventName(),
	}, nil
}
