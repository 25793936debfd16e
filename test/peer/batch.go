// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"fabric-builder-docker/test/chat"
)

// additional is the payload of READY in Fabric 3.1. With it, shims that support this send several writes, or request
// several keys, in one message.
var additional = &chat.ChaincodeAdditionalParams{
	UseWriteBatch: true, MaxSizeWriteBatch: 1000,
	UseGetMultipleKeys: true, MaxSizeGetMultipleKeys: 1000,
}

// writeBatch handles the payload of WRITE_BATCH_STATE. The type of a record is that of the message it replaces.
func (t *transaction) writeBatch(payload []byte) error {
	return eachField(payload, func(number protowire.Number, value []byte, _ uint64) error {
		if number != 1 {
			return nil
		}
		record, kind := &chat.PutState{}, chat.ChaincodeMessage_UNDEFINED
		err := eachField(value, func(number protowire.Number, value []byte, varint uint64) error {
			switch number {
			case 1:
				record.Key = string(value)
			case 2:
				record.Value = value
			case 3:
				record.Collection = string(value)
			case 5:
				kind = chat.ChaincodeMessage_Type(varint)
			}
			return nil
		})
		if err != nil {
			return err
		}
		key := t.stateKey(record.GetCollection(), record.GetKey())
		switch kind {
		case chat.ChaincodeMessage_PUT_STATE:
			t.writes = append(t.writes, write{key: key, value: record.GetValue()})
		case chat.ChaincodeMessage_DEL_STATE:
			t.writes = append(t.writes, write{key: key, delete: true})
		default:
			return errors.New("unknown operation type")
		}
		return nil
	})
}

// getMultiple answers GET_STATE_MULTIPLE with a value for each key, empty if there is none. ChaincodeInput has the same
// encoding as GetStateMultipleResult.
func (t *transaction) getMultiple(payload []byte) ([]byte, error) {
	var keys []string
	var collection string
	err := eachField(payload, func(number protowire.Number, value []byte, _ uint64) error {
		switch number {
		case 1:
			keys = append(keys, string(value))
		case 2:
			collection = string(value)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	result := &chat.ChaincodeInput{}
	for _, key := range keys {
		result.Args = append(result.Args, t.state.get(t.stateKey(collection, key)))
	}
	return proto.Marshal(result)
}

// eachField calls each for the fields of a message that package chat lacks. A field is either bytes or a number.
func eachField(raw []byte, each func(number protowire.Number, value []byte, varint uint64) error) error {
	for len(raw) > 0 {
		number, kind, length := protowire.ConsumeTag(raw)
		if length < 0 {
			return fmt.Errorf("unmarshal failed: %w", protowire.ParseError(length))
		}
		raw = raw[length:]
		var value []byte
		var varint uint64
		switch kind {
		case protowire.BytesType:
			value, length = protowire.ConsumeBytes(raw)
		case protowire.VarintType:
			varint, length = protowire.ConsumeVarint(raw)
		default:
			length = protowire.ConsumeFieldValue(number, kind, raw)
		}
		if length < 0 {
			return fmt.Errorf("unmarshal failed: %w", protowire.ParseError(length))
		}
		if err := each(number, value, varint); err != nil {
			return err
		}
		raw = raw[length:]
	}
	return nil
}
