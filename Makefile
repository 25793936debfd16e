GO      ?= go
PHASES  := detect build release run
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
LDFLAGS := -s -w -X fabric-builder-docker/internal/cli.release=$(VERSION)

.PHONY: build
build: $(PHASES:%=bin/%)

# Static and stripped: the peer's image may be Alpine or Ubuntu.
.PHONY: $(PHASES:%=bin/%)
$(PHASES:%=bin/%): bin/%:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/$*
