# make         says what there is
# make test    is what has to pass before a change is taken

PREFIX ?= $(HOME)/.heron
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
REVISION := $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
COMMITTED := $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64
# The scripts, known by their first line.
SHELL_SCRIPTS = $(shell find . \( -name .git -o -name .cache -o -name build \) -prune -o -type f \
	-exec awk 'FNR == 1 { if (/^\#!\/bin\/(ba|da)?sh/) print FILENAME; nextfile }' {} +)

# The program is built without cgo; Nomad, which needs it, sets it itself.
export CGO_ENABLED := 0
# The version comes from VERSION, and a checkout may belong to another user.
export GOFLAGS := $(GOFLAGS) -buildvcs=false

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## the program, build/heron
	go build -trimpath -ldflags '-s -w -X main.version=$(VERSION) -X main.revision=$(REVISION) -X main.committed=$(COMMITTED)' -o build/heron ./cmd/heron

.PHONY: install
install: build ## the program and its configuration into PREFIX (~/.heron)
	scripts/install "$(PREFIX)"

.PHONY: demo
demo: setup build ## a sample topology on a real Nomad and ZooKeeper, shown and killed
	scripts/with-servers scripts/demo

.PHONY: test
test: setup lint proto-check cross build tools ## everything that has to pass; installs what it needs
	scripts/with-servers go test -count=1 -p 2 -timeout 15m -v ./...

.PHONY: soak
soak: setup build tools ## the long test matrices in full
	HERON_SOAK=1 scripts/with-servers go test -count=1 -p 1 -timeout 6h -v ./...

.PHONY: bench
bench: setup ## uploads of 1 GiB next to curl, scp and a plain PutObject, with delay too; then what is measured in Go alone
	go test -run '^$$' -bench . -benchtime 1x -timeout 1h ./internal/uploadbench
	go test -run '^$$' -bench . -benchmem $$(go list ./... | grep -v /uploadbench)

.PHONY: lint
lint: setup ## formatting, vet, golangci-lint, shellcheck
	@files=$$(gofmt -l cmd conf internal scripts); test -z "$$files" || { echo "not formatted; gofmt -w" $$files >&2; exit 1; }
	go vet ./...
	"$$(scripts/tool golangci-lint)" run
	shellcheck $(SHELL_SCRIPTS)

.PHONY: cross
cross: ## builds for every platform
	@for platform in $(PLATFORMS); do \
		echo "build for $$platform"; \
		GOOS=$${platform%/*} GOARCH=$${platform#*/} go build ./... || exit 1; \
	done

.PHONY: proto
proto: ## the Go code of the protobuf messages, made again
	scripts/proto

.PHONY: proto-check
proto-check: ## that this code is up to date
	scripts/proto --check

.PHONY: tools
tools: setup ## the servers that tests run, built where the machine has none
	@for tool in nomad consul prometheus versitygw; do scripts/tool $$tool || exit 1; done

.PHONY: setup
setup: ## packages that tests and demo need, on Debian as root
	@scripts/setup

.PHONY: clean
clean: ## away with what was built, but not with the cache folder
	rm -rf build
