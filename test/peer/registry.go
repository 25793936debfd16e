// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"fmt"
	"sync"
	"time"
)

// registry holds the chaincodes that are being launched or are connected. A launch stays in it until a stream of its
// chaincode ends.
type registry struct {
	mutex    sync.Mutex
	handlers map[string]*handler
	launches map[string]*launch
}

// launch is an attempt to connect a chaincode.
type launch struct {
	// settled is closed when the outcome is known and a failed launch has left the registry.
	settled chan struct{}

	once sync.Once
	done chan struct{}

	mutex             sync.Mutex
	err               error
	own               bool // set by fail: the caller that began the launch gets err unchanged
	run               *Process
	registered, ready time.Time
}

func newRegistry() *registry {
	return &registry{handlers: map[string]*handler{}, launches: map[string]*launch{}}
}

func newLaunch() *launch {
	return &launch{done: make(chan struct{}), settled: make(chan struct{})}
}

// notify sets the outcome, unless it is already set.
func (l *launch) notify(err error) {
	l.once.Do(func() {
		l.mutex.Lock()
		l.err = err
		l.mutex.Unlock()
		close(l.done)
	})
}

// fail is notify for a failure of the launch itself: of its build or start, or a timeout. Fabric's peer reports all
// other failures as failures of the registration.
func (l *launch) fail(err error) {
	l.once.Do(func() {
		l.mutex.Lock()
		l.err, l.own = err, true
		l.mutex.Unlock()
		close(l.done)
	})
}

func (l *launch) update(change func(*launch)) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	change(l)
}

// launching returns a chaincode's launch and whether there was one. If not, the caller must run the new one.
func (r *registry) launching(packageID string) (found *launch, known bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if found, known = r.launches[packageID]; known {
		return found, true
	}
	found = newLaunch()
	r.launches[packageID] = found
	return found, false
}

func (r *registry) handler(packageID string) *handler {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.handlers[packageID]
}

func (r *registry) launch(packageID string) *launch {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.launches[packageID]
}

// register adds a chaincode. It must have been launched and not be connected.
func (r *registry) register(h *handler) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.handlers[h.packageID] != nil {
		return fmt.Errorf("duplicate chaincodeID: %s", h.packageID)
	}
	if r.launches[h.packageID] == nil {
		return fmt.Errorf("peer will not accept external chaincode connection %s (except in dev mode)", h.packageID)
	}
	r.handlers[h.packageID] = h
	return nil
}

// setOutcome sets the outcome of a chaincode's launch, if there is one.
func (r *registry) setOutcome(packageID string, err error) {
	if l := r.launch(packageID); l != nil {
		if err == nil {
			l.update(func(l *launch) { l.ready = time.Now() })
		}
		l.notify(err)
	}
}

// deregister removes a chaincode's handler and launch, whichever of its streams ended.
func (r *registry) deregister(packageID string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if h := r.handlers[packageID]; h != nil {
		close(h.dropped)
		delete(r.handlers, packageID)
	}
	delete(r.launches, packageID)
}
