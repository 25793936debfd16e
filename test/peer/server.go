// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	grpcpeer "google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"fabric-builder-docker/test/chat"
)

const maxMessage = 100 << 20

// serve listens on the chaincode address and starts the server.
func (p *Peer) serve(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.opts.Listen)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	options, err := p.serverOptions(listener)
	if err != nil {
		_ = listener.Close()
		return err
	}
	p.server = grpc.NewServer(options...)
	chat.RegisterChaincodeSupportServer(p.server, &support{peer: p})
	grpc_health_v1.RegisterHealthServer(p.server, health.NewServer())
	go func() {
		defer close(p.served)
		_ = p.server.Serve(listener) // returns when the server is stopped
	}()
	return nil
}

// serverOptions returns the server's options and sets p.address, for which the certificate is issued.
func (p *Peer) serverOptions(listener net.Listener) ([]grpc.ServerOption, error) {
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return nil, fmt.Errorf("reading listen address: %w", err)
	}
	if p.opts.Host != "" {
		host = p.opts.Host
	} else if net.ParseIP(host).IsUnspecified() {
		return nil, errors.New("checking options: Host is required to listen on all addresses")
	}
	p.address = net.JoinHostPort(host, port)

	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxSendMsgSize(maxMessage),
		grpc.ConnectionTimeout(5 * time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 2 * time.Hour, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Minute, PermitWithoutStream: true}),
	}
	if !p.opts.TLS {
		return options, nil
	}
	if p.ca, err = newAuthority(); err != nil {
		return nil, err
	}
	config, err := p.ca.serverTLS(host)
	if err != nil {
		return nil, err
	}
	return append(options, grpc.Creds(credentials.NewTLS(config))), nil
}

// support is the gRPC service. It is a separate type to keep its methods out of Peer's.
type support struct {
	chat.UnimplementedChaincodeSupportServer
	peer *Peer
}

// Register serves the stream of a chaincode.
func (s *support) Register(stream chat.ChaincodeSupport_RegisterServer) error {
	first, err := stream.Recv()
	if err != nil {
		return fmt.Errorf("receiving first message: %w", err)
	}
	if s.peer.opts.TLS {
		if err := s.peer.authenticate(stream.Context(), first); err != nil {
			return err
		}
	}
	return s.peer.handle(stream, first)
}

// authenticate checks that the client certificate is the one issued for the chaincode that registers.
func (p *Peer) authenticate(ctx context.Context, message *chat.ChaincodeMessage) error {
	if message.GetType() != chat.ChaincodeMessage_REGISTER {
		//lint:ignore ST1005 the words of the real peer
		return errors.New("First message needs to be a register")
	}
	id := &chat.ChaincodeID{}
	if err := proto.Unmarshal(message.GetPayload(), id); err != nil {
		return fmt.Errorf("parsing registration: %w", err)
	}
	remote, _ := grpcpeer.FromContext(ctx)
	info, ok := remote.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.PeerCertificates) == 0 {
		return fmt.Errorf("TLS is active but chaincode %s didn't send certificate", id.GetName())
	}
	return p.clients.check(info.State.PeerCertificates[0].Raw, id.GetName())
}
