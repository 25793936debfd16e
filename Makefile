# SPDX-License-Identifier: Apache-2.0

GO      ?= go
BIN     ?= bin
PHASES  := detect build release run

# The commit and its date are left out without git. They are those of this directory's own repository, not of one that it
# lies in. The date is not that of the build, so that builds of one commit are the same.
VERSION := $(shell cat VERSION)
COMMIT  := $(if $(wildcard .git),$(shell git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null))
DATE    := $(if $(COMMIT),$(shell TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ))
LDFLAGS := -s -w $(foreach variable,release=$(VERSION) commit=$(COMMIT) date=$(DATE),-X fabric-builder-docker/internal/cli.$(variable))

.PHONY: build
build: $(PHASES:%=$(BIN)/%)

# The programs are static, since the peer's image may be Alpine or Ubuntu, and stripped. All but build leave out HTTP/2: only
# build may have to ask an engine something by gRPC, and run stays in memory as long as its chaincode. They are always
# rebuilt: the go command knows which packages have changed. It records no commit itself: its record would depend on files
# beside the sources.
TAGS                = -tags nethttpomithttp2
$(BIN)/build: TAGS :=
.PHONY: always
$(PHASES:%=$(BIN)/%): $(BIN)/%: always
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false $(TAGS) -ldflags '$(LDFLAGS)' -o $@ ./cmd/$*

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

# NOTICE has the notices and licences of all that the programs link. A test compares it with their modules.
.PHONY: notice
notice:
	$(GO) build -o .work/tools/notice ./packaging/notice
	.work/tools/notice . > .work/NOTICE && mv .work/NOTICE NOTICE

# Release files for both platforms in dist/. They depend on the commit and on Go's version, and not on the directory or on Go's
# settings. SOURCE_DATE_EPOCH is the time of all files; without git it is 0 unless set.
PLATFORMS         := amd64 arm64
SOURCE_DATE_EPOCH ?= $(or $(if $(COMMIT),$(shell git log -1 --format=%ct)),0)
.PHONY: dist
dist: export GOFLAGS := -buildvcs=false -trimpath
dist: export GOAMD64 := v1
dist: export GOARM64 := v8.0
dist:
	rm -rf dist && mkdir -p dist
	$(MAKE) $(PLATFORMS:%=dist-%)
	cd dist && sha256sum * > SHA256SUMS

# The list of modules is that of build, which links all that the others do.
.PHONY: $(PLATFORMS:%=dist-%)
$(PLATFORMS:%=dist-%): dist-%:
	GOOS=linux GOARCH=$* $(MAKE) build BIN=.work/dist/$*
	$(GO) run ./packaging/dist -programs .work/dist/$* -architecture $* -version $(VERSION) -commit '$(COMMIT)' \
		-date $(SOURCE_DATE_EPOCH)
	cd packaging/tools && CGO_ENABLED=0 $(GO) tool cyclonedx-gomod bin -json -std -noserial -notimestamp -version $(VERSION) \
		-output '$(CURDIR)/dist/fabric-builder-docker-$(VERSION)-linux-$*.cdx.json' '$(CURDIR)/.work/dist/$*/build'

# Installs what make has built: it builds nothing, since root may have neither Go nor access to the repository. A program is
# replaced in one step, because a peer may be calling it. Settings are never overwritten.
PREFIX    ?= /opt/hyperledger/docker_builder
INSTALLED := $(DESTDIR)$(PREFIX)
.PHONY: install
install:
	@for phase in $(PHASES); do test -x '$(BIN)'/$$phase || { echo "$(BIN)/$$phase is missing: run make first" >&2; exit 1; }; done
	install -d -m 0755 '$(INSTALLED)/bin'
	for phase in $(PHASES); do \
		install -m 0755 '$(BIN)'/$$phase '$(INSTALLED)'/bin/.$$phase.new && \
		mv -f '$(INSTALLED)'/bin/.$$phase.new '$(INSTALLED)'/bin/$$phase || exit 1; done
	install -m 0644 LICENSE NOTICE '$(INSTALLED)'
	test -e '$(INSTALLED)/config.yaml' || test -L '$(INSTALLED)/config.yaml' || \
		install -m 0644 packaging/config.yaml '$(INSTALLED)/config.yaml'

# The linters are pinned in go.mod. deadcode exits with 0 whatever it finds.
.PHONY: lint
lint:
	$(GO) vet ./...
	@unformatted=$$(gofmt -l cmd internal packaging test testdata); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	$(GO) tool staticcheck ./...
	$(GO) tool go-errorlint ./...
	$(GO) tool unparam ./...
	@dead=$$($(GO) tool deadcode -test ./...) && test -z "$$dead" || { echo "$$dead"; exit 1; }
	$(GO) tool misspell -error cmd docs internal packaging test testdata *.md Makefile

# These tests mostly run other programs, which the race detector would not see. The longest comes first: two run at a time.
UNRACED := $(addprefix fabric-builder-docker/,test/e2e internal/platform test)

# What needs no base images is done while they are made. All of it has been through go vet, so go test need not call it again. Some
# tests wait, so more of them run at a time than there are cores on a small machine.
.PHONY: test
test: build $(WITHENGINE)
	$(WITHENGINE) --program busybox --program docker-compose --meanwhile '$(MAKE) lint raced' -- $(GO) test -count=1 -vet=off -timeout 60m -parallel 3 $(UNRACED)

# The linters and the tests with the race detector. Some need BusyBox.
.PHONY: raced
raced:
	$(GO) test -race -count=1 -vet=off $(filter-out $(UNRACED),$(shell $(GO) list ./...))

# Measures builds and launches beside the peer's built-in controller for an hour, and updates docs/performance.md.
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

# Removes the programs, the release files, and the engine of demo and test with its images and caches.
.PHONY: clean
clean: $(WITHENGINE)
	$(WITHENGINE) --clean
	rm -f $(PHASES:%=$(BIN)/%)
	rm -rf dist
