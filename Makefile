GO      ?= go
BIN     ?= bin
PHASES  := detect build release run
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
LDFLAGS := -s -w -X fabric-builder-docker/internal/cli.release=$(VERSION)

.PHONY: build
build: $(PHASES:%=$(BIN)/%)

# Static and stripped: the peer's image may be Alpine or Ubuntu. Nobody speaks HTTP/2 with engines, so it stays out. The
# compiler knows best what is up to date.
.PHONY: always
$(PHASES:%=$(BIN)/%): $(BIN)/%: always
	CGO_ENABLED=0 $(GO) build -trimpath -tags nethttpomithttp2 -ldflags '$(LDFLAGS)' -o $@ ./cmd/$*

# demo and test bring up what they need: an engine and base images, where there are none, below .work/. A built
# withengine hands on signals and exit statuses, which "go run" does not.
WITHENGINE := .work/tools/withengine
.PHONY: $(WITHENGINE)
$(WITHENGINE):
	$(GO) build -o $@ ./test/withengine

.PHONY: demo
demo: build $(WITHENGINE)
	$(GO) build -o .work/tools/demo ./test/demo
	$(WITHENGINE) -- .work/tools/demo

.PHONY: test
test: build $(WITHENGINE)
	$(GO) vet ./...
	@unformatted=$$(gofmt -l cmd internal test); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	$(WITHENGINE) --program busybox -- $(GO) test -count=1 -timeout 60m ./...

# How fast and how small it is beside the peer's built-in controller: takes half an hour, and writes docs/performance.md.
# BENCH="-n 1 -only Node" measures some of it and writes nothing.
.PHONY: bench
bench: build $(WITHENGINE)
	$(GO) build -o .work/tools/bench ./test/bench
	$(WITHENGINE) -- .work/tools/bench -write docs/performance.md $(BENCH)

# The engine of demo and test with its images and caches, and all that was built.
.PHONY: clean
clean: $(WITHENGINE)
	$(WITHENGINE) --clean
	rm -f $(PHASES:%=$(BIN)/%)
