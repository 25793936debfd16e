GO      ?= go
BIN     ?= bin
PHASES  := detect build release run
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
LDFLAGS := -s -w -X fabric-builder-docker/internal/cli.release=$(VERSION)

.PHONY: build
build: $(PHASES:%=$(BIN)/%)

# Static and stripped, because the peer's image may be Alpine or Ubuntu. HTTP/2 is left out, because engines do not use it.
# always: the go command decides what is up to date.
.PHONY: always
$(PHASES:%=$(BIN)/%): $(BIN)/%: always
	CGO_ENABLED=0 $(GO) build -trimpath -tags nethttpomithttp2 -ldflags '$(LDFLAGS)' -o $@ ./cmd/$*

# withengine starts an engine and provides base images below .work/, unless there are some, and runs a command with them.
# It is built first, because "go run" does not pass on signals and exit statuses.
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

# Compares speed and size with the peer's built-in controller and writes docs/performance.md. It takes half an hour.
# BENCH="-n 1 -only Node" runs only some of the measurements and writes nothing.
.PHONY: bench
bench: build $(WITHENGINE)
	$(GO) build -o .work/tools/bench ./test/bench
	$(WITHENGINE) -- .work/tools/bench -write docs/performance.md $(BENCH)

# Removes the engine that demo, test and bench started, with its images and caches, and the built programs.
.PHONY: clean
clean: $(WITHENGINE)
	$(WITHENGINE) --clean
	rm -f $(PHASES:%=$(BIN)/%)
