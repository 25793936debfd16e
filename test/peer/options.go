package peer

import (
	"cmp"
	"errors"
	"os"
	"time"
)

// Options say how a peer is set up. Only BuilderPath and Dir are required; the
// periods are Fabric's unless a test needs them shorter.
type Options struct {
	// BuilderPath is the directory that holds bin/detect and its siblings.
	BuilderPath string
	// BuilderName is the entry's name in chaincode.externalBuilders: "docker".
	BuilderName string
	// Propagate lists propagateEnvironment: each entry is a name that Environ
	// is searched for, or NAME=VALUE as though Environ had it so.
	Propagate []string
	// Environ is the peer's own environment; nil means this process's.
	Environ []string
	// Dir is the peer's fileSystemPath. A second peer on the same directory
	// finds the packages, the builds and the state that the first one left.
	Dir string

	// TLS switches mutual TLS on the chaincode address on.
	TLS bool
	// Roots is how often the peer's authority stands in what chaincodes get to
	// trust: 1. The bundle of a real one may hold many.
	Roots int
	// MSPID is the peer's organisation: "Org1MSP".
	MSPID string
	// Listen is the chaincode address: "127.0.0.1:0".
	Listen string
	// Host is the name that chaincodes dial, and the only one in the server's
	// certificate. Empty means the host of Listen.
	Host string
	// Channel is the channel of transactions: "mychannel".
	Channel string

	// Log receives what the programs write to stderr, line by line, and the
	// peer's own complaints about them. It may be called concurrently.
	Log func(Line)

	// StartupTimeout is how long a launch may take: 300 s.
	StartupTimeout time.Duration
	// ExecuteTimeout is how long a transaction may take: 30 s.
	ExecuteTimeout time.Duration
	// TermTimeout is the time between SIGTERM and SIGKILL: 5 s.
	TermTimeout time.Duration
	// KillTimeout is how long to wait after SIGKILL: 5 s.
	KillTimeout time.Duration
	// ShutdownTimeout is what StopAll has for all chaincodes together: 5 s.
	ShutdownTimeout time.Duration
	// CertLifetime is when a client certificate is forgotten: 10 min.
	CertLifetime time.Duration
}

func (o Options) withDefaults() (Options, error) {
	if o.BuilderPath == "" || o.Dir == "" {
		return o, errors.New("checking options: BuilderPath and Dir are required")
	}
	o.BuilderName = cmp.Or(o.BuilderName, "docker")
	o.MSPID = cmp.Or(o.MSPID, "Org1MSP")
	o.Listen = cmp.Or(o.Listen, "127.0.0.1:0")
	o.Channel = cmp.Or(o.Channel, "mychannel")
	o.Roots = cmp.Or(o.Roots, 1)
	o.StartupTimeout = cmp.Or(o.StartupTimeout, 300*time.Second)
	o.ExecuteTimeout = cmp.Or(o.ExecuteTimeout, 30*time.Second)
	o.TermTimeout = cmp.Or(o.TermTimeout, 5*time.Second)
	o.KillTimeout = cmp.Or(o.KillTimeout, 5*time.Second)
	o.ShutdownTimeout = cmp.Or(o.ShutdownTimeout, 5*time.Second)
	o.CertLifetime = cmp.Or(o.CertLifetime, 10*time.Minute)
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	if o.Log == nil {
		o.Log = func(Line) {}
	}
	return o, nil
}
