// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"fabric-builder-docker/test/chat"
)

// handler is the peer's end of one stream.
type handler struct {
	peer      *Peer
	packageID string        // empty until REGISTER
	ended     chan struct{} // closed when the stream ends
	dropped   chan struct{} // closed when the registry drops it

	sending sync.Mutex
	stream  chat.ChaincodeSupport_RegisterServer

	mutex        sync.Mutex
	ready        bool
	transactions map[string]*transaction
}

// handle serves a chaincode's stream until it ends. It then drops the chaincode registered under this stream's package
// ID, even if that is another stream.
func (p *Peer) handle(stream chat.ChaincodeSupport_RegisterServer, first *chat.ChaincodeMessage) error {
	h := &handler{
		peer: p, stream: stream, ended: make(chan struct{}), dropped: make(chan struct{}),
		transactions: map[string]*transaction{},
	}
	defer close(h.ended)
	defer func() { p.registry.deregister(h.packageID) }()

	message, err := first, error(nil)
	for ; err == nil; message, err = stream.Recv() {
		if err := h.receive(message); err != nil {
			return fmt.Errorf("error handling message, ending stream: %w", err)
		}
	}
	if errors.Is(err, io.EOF) {
		return err // as Fabric's peer does, which tells a chaincode that closes the stream "EOF"
	}
	return fmt.Errorf("receive from chaincode support stream failed: %w", err)
}

func (h *handler) receive(message *chat.ChaincodeMessage) error {
	switch {
	case message.GetType() == chat.ChaincodeMessage_KEEPALIVE:
		return nil
	case h.isReady():
		return h.serve(message)
	case message.GetType() == chat.ChaincodeMessage_REGISTER:
		return h.register(message)
	default:
		return unexpected(message, "created")
	}
}

// register handles REGISTER. If the registry refuses, the chaincode gets no answer and the stream stays open.
func (h *handler) register(message *chat.ChaincodeMessage) error {
	id := &chat.ChaincodeID{}
	if err := proto.Unmarshal(message.GetPayload(), id); err != nil || id.GetName() == "" {
		return nil
	}
	h.packageID = id.GetName()
	if err := h.peer.registry.register(h); err != nil {
		h.peer.registry.setOutcome(h.packageID, err)
		return nil
	}
	if err := h.acknowledge(); err != nil {
		h.peer.registry.setOutcome(h.packageID, err)
		return err
	}
	h.peer.registry.setOutcome(h.packageID, nil)
	return nil
}

// acknowledge sends REGISTERED and then READY.
func (h *handler) acknowledge() error {
	if err := h.send(&chat.ChaincodeMessage{Type: chat.ChaincodeMessage_REGISTERED}); err != nil {
		return err
	}
	if l := h.peer.registry.launch(h.packageID); l != nil {
		l.update(func(l *launch) { l.registered = time.Now() })
	}
	payload, err := proto.Marshal(additional)
	if err != nil {
		return fmt.Errorf("encoding READY: %w", err)
	}
	if err := h.send(&chat.ChaincodeMessage{Type: chat.ChaincodeMessage_READY, Payload: payload}); err != nil {
		return err
	}
	h.mutex.Lock()
	h.ready = true
	h.mutex.Unlock()
	return nil
}

func unexpected(message *chat.ChaincodeMessage, state string) error {
	return fmt.Errorf("[%s] Fabric side handler cannot handle message (%s) while in %s state",
		message.GetTxid(), message.GetType(), state)
}

func (h *handler) isReady() bool {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.ready
}

func (h *handler) send(message *chat.ChaincodeMessage) error {
	h.sending.Lock()
	defer h.sending.Unlock()
	if err := h.stream.Send(message); err != nil {
		return fmt.Errorf("sending %s: %w", message.GetType(), err)
	}
	return nil
}

// begin records a transaction of the stream until forget.
func (h *handler) begin(t *transaction) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.transactions[t.key()] = t
}

func (h *handler) forget(t *transaction) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	delete(h.transactions, t.key())
}

func (h *handler) find(message *chat.ChaincodeMessage) *transaction {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.transactions[transactionKey(message.GetChannelId(), message.GetTxid())]
}

// serve handles a chaincode's message in a transaction.
func (h *handler) serve(message *chat.ChaincodeMessage) error {
	t := h.find(message)
	switch message.GetType() {
	case chat.ChaincodeMessage_COMPLETED, chat.ChaincodeMessage_ERROR:
		if t != nil {
			h.forget(t)
			t.answer <- message
		}
		return nil
	case chat.ChaincodeMessage_REGISTER, chat.ChaincodeMessage_RESPONSE:
		return unexpected(message, "ready")
	}
	answer := &chat.ChaincodeMessage{
		Type: chat.ChaincodeMessage_RESPONSE, Txid: message.GetTxid(), ChannelId: message.GetChannelId(),
	}
	payload, err := t.accessState(message)
	if err != nil {
		answer.Type = chat.ChaincodeMessage_ERROR
		payload = fmt.Appendf(nil, "%s failed: transaction ID: %s: %v", message.GetType(), message.GetTxid(), err)
	}
	answer.Payload = payload
	return h.send(answer)
}
