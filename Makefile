GO      ?= go
BIN     ?= bin
PHASES  := detect build release run
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
LDFLAGS := -s -w -X fabric-builder-docker/internal/cli.release=$(VERSION)

.PHONY: build
build: $(PHASES:%=$(BIN)/%)

# Static and stripped: the peer's image may be Alpine or Ubuntu. The compiler knows best what is up to date.
.PHONY: always
$(PHASES:%=$(BIN)/%): $(BIN)/%: always
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/$*
