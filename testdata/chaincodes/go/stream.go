package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"example.com/kv/chat"
)

const maxMessage = 100 << 20

// stream is the chat with the peer.
type stream struct {
	client chat.ChaincodeSupport_RegisterClient

	sending sync.Mutex

	mutex   sync.Mutex
	waiting map[string]chan *chat.ChaincodeMessage // by channel and transaction
}

// serve registers and answers transactions until the stream ends, which is
// always an error: a chaincode without its peer is of no use.
func serve(address, id string) error {
	if address == "" || id == "" {
		return errors.New("-peer.address and CORE_CHAINCODE_ID_NAME are required")
	}
	credentials, err := transport()
	if err != nil {
		return err
	}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
	if err != nil {
		return fmt.Errorf("dialling peer: %w", err)
	}
	defer connection.Close()
	client, err := chat.NewChaincodeSupportClient(connection).Register(context.Background())
	if err != nil {
		return fmt.Errorf("connecting to peer: %w", err)
	}
	s := &stream{client: client, waiting: map[string]chan *chat.ChaincodeMessage{}}
	if err := s.register(id); err != nil {
		return err
	}
	return s.loop()
}

func (s *stream) register(id string) error {
	payload, err := proto.Marshal(&chat.ChaincodeID{Name: id})
	if err != nil {
		return fmt.Errorf("encoding registration: %w", err)
	}
	return s.send(&chat.ChaincodeMessage{Type: chat.ChaincodeMessage_REGISTER, Payload: payload})
}

func (s *stream) loop() error {
	for {
		message, err := s.client.Recv()
		if errors.Is(err, io.EOF) {
			return errors.New("the peer closed the stream")
		}
		if err != nil {
			return fmt.Errorf("receiving from peer: %w", err)
		}
		s.dispatch(message)
	}
}

func (s *stream) dispatch(message *chat.ChaincodeMessage) {
	switch message.GetType() {
	case chat.ChaincodeMessage_REGISTERED:
		fmt.Fprintln(os.Stderr, "kv: registered")
	case chat.ChaincodeMessage_READY:
		fmt.Println("kv: ready")
	case chat.ChaincodeMessage_INIT, chat.ChaincodeMessage_TRANSACTION:
		go s.execute(message)
	case chat.ChaincodeMessage_RESPONSE, chat.ChaincodeMessage_ERROR:
		s.mutex.Lock()
		waiting := s.waiting[key(message)]
		s.mutex.Unlock()
		if waiting != nil {
			waiting <- message
		}
	}
}

func (s *stream) send(message *chat.ChaincodeMessage) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	if err := s.client.Send(message); err != nil {
		return fmt.Errorf("sending %s: %w", message.GetType(), err)
	}
	return nil
}

// execute runs one transaction and answers it.
func (s *stream) execute(message *chat.ChaincodeMessage) {
	answer := &chat.ChaincodeMessage{
		Type: chat.ChaincodeMessage_COMPLETED, Txid: message.GetTxid(), ChannelId: message.GetChannelId(),
	}
	input := &chat.ChaincodeInput{}
	err := proto.Unmarshal(message.GetPayload(), input)
	if err == nil {
		answer.Payload, err = proto.Marshal(call(&transaction{stream: s, message: message}, input.GetArgs()))
	}
	if err != nil {
		answer.Type, answer.Payload = chat.ChaincodeMessage_ERROR, []byte(err.Error())
	}
	if err := s.send(answer); err != nil {
		fmt.Fprintln(os.Stderr, "kv: error:", err)
	}
}

// transaction is a function's way to the state.
type transaction struct {
	stream  *stream
	message *chat.ChaincodeMessage
}

func (t *transaction) get(name string) ([]byte, error) {
	return t.ask(chat.ChaincodeMessage_GET_STATE, &chat.GetState{Key: name})
}

func (t *transaction) put(name string, value []byte) error {
	_, err := t.ask(chat.ChaincodeMessage_PUT_STATE, &chat.PutState{Key: name, Value: value})
	return err
}

// ask sends one request to the peer and waits for its answer. A transaction
// has one under way at a time.
func (t *transaction) ask(kind chat.ChaincodeMessage_Type, request proto.Message) ([]byte, error) {
	payload, err := proto.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("encoding %s: %w", kind, err)
	}
	waiting := make(chan *chat.ChaincodeMessage, 1)
	t.stream.mutex.Lock()
	t.stream.waiting[key(t.message)] = waiting
	t.stream.mutex.Unlock()
	defer func() {
		t.stream.mutex.Lock()
		delete(t.stream.waiting, key(t.message))
		t.stream.mutex.Unlock()
	}()
	err = t.stream.send(&chat.ChaincodeMessage{
		Type: kind, Payload: payload, Txid: t.message.GetTxid(), ChannelId: t.message.GetChannelId(),
	})
	if err != nil {
		return nil, err
	}
	answer := <-waiting // a lost stream ends the process
	if answer.GetType() == chat.ChaincodeMessage_ERROR {
		return nil, errors.New(string(answer.GetPayload()))
	}
	return answer.GetPayload(), nil
}

func key(message *chat.ChaincodeMessage) string {
	return message.GetChannelId() + "\x00" + message.GetTxid()
}
