// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"cmp"
	"errors"
	"os"
	"time"

	"fabric-builder-docker/test/ours"
)

// Options configures a peer. BuilderPath and Dir are required. The default periods are Fabric's.
type Options struct {
	// BuilderPath is the directory that contains bin/detect, bin/build, bin/release and bin/run.
	BuilderPath string
	// BuilderName is the name in chaincode.externalBuilders. Default: "docker".
	BuilderName string
	// Propagate is propagateEnvironment. An entry is the name of a variable in Environ, or NAME=VALUE.
	Propagate []string
	// Environ is the peer's environment. Default: this process's.
	Environ []string
	// Dir is the peer's fileSystemPath. A second peer on the same directory finds the packages, builds and state of the
	// first.
	Dir string

	// TLS enables mutual TLS on the chaincode address.
	TLS bool
	// Roots is how often the CA certificate is repeated in root_cert, since a real peer's may hold many. Default: 1.
	Roots int
	// MSPID is the peer's MSP ID. Default: [ours.MSPID].
	MSPID string
	// Listen is the chaincode listen address. Default: "127.0.0.1:0".
	Listen string
	// Host is the name that chaincodes dial, and the only one in the server's certificate. Default: the host of Listen.
	Host string
	// Channel is the channel of transactions. Default: "mychannel".
	Channel string

	// Log receives each line that the programs write to stderr, and errors in reading them. It may be called
	// concurrently.
	Log func(Line)

	// StartupTimeout is how long a launch may take. Default: 300 s.
	StartupTimeout time.Duration
	// ExecuteTimeout is how long a transaction may take. Default: 30 s.
	ExecuteTimeout time.Duration
	// TermTimeout is the time between SIGTERM and SIGKILL. Default: 5 s.
	TermTimeout time.Duration
	// KillTimeout is how long to wait after SIGKILL. Default: 5 s.
	KillTimeout time.Duration
	// ShutdownTimeout bounds StopAll, for all chaincodes together. Default: 5 s.
	ShutdownTimeout time.Duration
	// CertLifetime is how long a client certificate is valid for registration. Default: 10 min.
	CertLifetime time.Duration
}

func (o Options) withDefaults() (Options, error) {
	if o.BuilderPath == "" || o.Dir == "" {
		return o, errors.New("checking options: BuilderPath and Dir are required")
	}
	o.BuilderName = cmp.Or(o.BuilderName, "docker")
	o.MSPID = cmp.Or(o.MSPID, ours.MSPID)
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
