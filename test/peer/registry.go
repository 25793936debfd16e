package peer

import (
	"fmt"
	"sync"
	"time"
)

// registry knows which chaincodes are being launched and which are connected.
// A launch stays in it until a stream of its chaincode ends.
type registry struct {
	mutex    sync.Mutex
	handlers map[string]*handler
	launches map[string]*launch
}

// launch is one attempt to get a chaincode connected.
type launch struct {
	// settled is closed when the outcome is known and, if it is a failure,
	// the launch is out of the registry.
	settled chan struct{}

	once sync.Once
	done chan struct{}

	mutex             sync.Mutex
	err               error
	own               bool // the launch's own failure, which its beginner is told as it is
	run               *Process
	registered, ready time.Time
}

func newRegistry() *registry {
	return &registry{handlers: map[string]*handler{}, launches: map[string]*launch{}}
}

func newLaunch() *launch {
	return &launch{done: make(chan struct{}), settled: make(chan struct{})}
}

// notify sets the outcome. Only the first one counts.
func (l *launch) notify(err error) {
	l.once.Do(func() {
		l.mutex.Lock()
		l.err = err
		l.mutex.Unlock()
		close(l.done)
	})
}

// fail is notify for a failure of the launch itself: its build, its start or
// its time. All others Fabric's peer calls failures of the registration.
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

// launching finds a chaincode's launch. Who is told that there was none owns
// the new one.
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

// register takes a chaincode in: the first of its id, after a launch.
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

// outcome tells the launch of a chaincode, if there is one, how it went.
func (r *registry) outcome(packageID string, err error) {
	if l := r.launch(packageID); l != nil {
		if err == nil {
			l.update(func(l *launch) { l.ready = time.Now() })
		}
		l.notify(err)
	}
}

// deregister forgets a chaincode by its id, whichever stream, handler or
// launch the reason was.
func (r *registry) deregister(packageID string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if h := r.handlers[packageID]; h != nil {
		close(h.dropped)
		delete(r.handlers, packageID)
	}
	delete(r.launches, packageID)
}
