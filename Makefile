GO      ?= go
BIN     ?= bin
PHASES  := detect build release run
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
LDFLAGS := -s -w -X fabric-builder-docker/internal/cli.release=$(VERSION)

.PHONY: build
build: $(PHASES:%=$(BIN)/%)

# The programs are static, since the peer's image may be Alpine or Ubuntu, and stripped. They leave out HTTP/2, which no
# engine needs. They are always rebuilt: the go command knows which packages have changed.
.PHONY: always
$(PHASES:%=$(BIN)/%): $(BIN)/%: always
	CGO_ENABLED=0 $(GO) build -trimpath -tags nethttpomithttp2 -ldflags '$(LDFLAGS)' -o $@ ./cmd/$*

# withengine starts an engine and makes base images below .work/ where the machine has none. It is built rather than
# started with "go run", which passes on neither signals nor exit statuses.
WITHENGINE := .work/tools/withengine
.PHONY: $(WITHENGINE)
$(WITHENGINE):
	$(GO) build -o $@ ./test/withengine

.PHONY: demo
demo: build $(WITHENGINE)
	$(GO) build -o .work/tools/demo ./test/demo
	$(WITHENGINE) -- .work/tools/demo

# The linters are pinned in go.mod. deadcode exits with 0 whatever it finds.
.PHONY: lint
lint:
	$(GO) vet ./...
	@unformatted=$$(gofmt -l cmd internal test testdata); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	$(GO) tool staticcheck ./...
	$(GO) tool go-errorlint ./...
	$(GO) tool unparam ./...
	@dead=$$($(GO) tool deadcode -test ./...) && test -z "$$dead" || { echo "$$dead"; exit 1; }
	$(GO) tool misspell -error cmd docs internal packaging test testdata *.md Makefile

# These tests mostly run other programs, which the race detector would not see. They also take longest, so they run last.
UNRACED := $(addprefix fabric-builder-docker/,internal/platform test test/e2e)
.PHONY: test
test: build lint $(WITHENGINE)
	$(WITHENGINE) --program busybox --program docker-compose -- sh -c '\
		$(GO) test -race -count=1 $(filter-out $(UNRACED),$(shell $(GO) list ./...)) && \
		$(GO) test -count=1 -timeout 60m $(UNRACED)'

# Measures builds and launches beside the peer's built-in controller for half an hour, and updates docs/performance.md.
# BENCH="-n 1 -only Node" measures some cases and writes nothing.
.PHONY: bench
bench: build $(WITHENGINE)
	$(GO) build -o .work/tools/bench ./test/bench
	$(WITHENGINE) -- .work/tools/bench -write docs/performance.md $(BENCH)

# Stops, kills and prunes during builds and runs, for minutes. FAULTS="-only pruned -seed 7" repeats a part of a run.
.PHONY: faults
faults: build $(WITHENGINE)
	$(GO) build -o .work/tools/faults ./test/faults
	$(WITHENGINE) --program busybox --bare -- .work/tools/faults $(FAULTS)

# Removes the programs, and the engine of demo and test with its images and caches.
.PHONY: clean
clean: $(WITHENGINE)
	$(WITHENGINE) --clean
	rm -f $(PHASES:%=$(BIN)/%)
