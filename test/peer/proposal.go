// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"fabric-builder-docker/test/chat"
)

// endorserTransaction is the type in a channel header. The shims accept no other.
const endorserTransaction = 3

// identity is the client that signs the peer's transactions.
type identity struct {
	key     *ecdsa.PrivateKey
	creator []byte
}

// newIdentity creates a user of the organisation with a self-signed certificate, which fabric-contract-api parses
// before each transaction.
func newIdentity(mspid string) (*identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating key: %w", err)
	}
	template, err := certTemplate(24 * time.Hour)
	if err != nil {
		return nil, err
	}
	template.Subject = pkix.Name{CommonName: "User1", OrganizationalUnit: []string{"client"}}
	pair, err := sign(template, template, key, key)
	if err != nil {
		return nil, err
	}
	creator, err := proto.Marshal(&chat.SerializedIdentity{Mspid: mspid, IdBytes: pair.certPEM})
	if err != nil {
		return nil, fmt.Errorf("encoding identity: %w", err)
	}
	return &identity{key: key, creator: creator}, nil
}

// newNonce returns a random nonce and the transaction ID computed from it.
func (i *identity) newNonce() (nonce []byte, txID string) {
	nonce = make([]byte, 24)
	_, _ = rand.Read(nonce) // never fails
	hash := sha256.New()
	hash.Write(nonce)
	hash.Write(i.creator)
	return nonce, hex.EncodeToString(hash.Sum(nil))
}

// propose creates and signs the client's proposal for a transaction.
func (i *identity) propose(t Transaction, name, txID string, nonce []byte, input *chat.ChaincodeInput) (*chat.SignedProposal, error) {
	m := &marshaller{}
	now := time.Now()
	proposal := m.bytes(&chat.Proposal{
		Header: m.bytes(&chat.Header{
			ChannelHeader: m.bytes(&chat.ChannelHeader{
				Type:      endorserTransaction,
				ChannelId: t.Channel,
				TxId:      txID,
				Timestamp: &chat.Timestamp{Seconds: now.Unix(), Nanos: int32(now.Nanosecond())},
			}),
			SignatureHeader: m.bytes(&chat.SignatureHeader{Creator: i.creator, Nonce: nonce}),
		}),
		Payload: m.bytes(&chat.ChaincodeProposalPayload{
			Input: m.bytes(&chat.ChaincodeInvocationSpec{ChaincodeSpec: &chat.ChaincodeSpec{
				ChaincodeId: &chat.ChaincodeID{Name: name},
				Input:       input,
			}}),
			TransientMap: t.Transient,
		}),
	})
	if m.err != nil {
		return nil, fmt.Errorf("encoding proposal: %w", m.err)
	}
	digest := sha256.Sum256(proposal)
	signature, err := ecdsa.SignASN1(rand.Reader, i.key, digest[:])
	if err != nil {
		return nil, fmt.Errorf("signing proposal: %w", err)
	}
	return &chat.SignedProposal{ProposalBytes: proposal, Signature: signature}, nil
}

// marshaller keeps the first error of encoding nested messages.
type marshaller struct{ err error }

func (m *marshaller) bytes(message proto.Message) []byte {
	raw, err := proto.Marshal(message)
	if m.err == nil {
		m.err = err
	}
	return raw
}
