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

# Tests run under the race detector. It takes cgo, but users and host names are
# looked up as the program does, which has none.
TEST_ENV := env CGO_ENABLED=1
TEST_FLAGS := -race -tags netgo,osusergo -count=1 -p 3 -parallel 6 -timeout 30m

# gotestsum prints every test as go test -v does and runs those that failed, if
# they are few, once more when all have ended. What failed stands last.
ALL_TESTS = $(TEST_ENV) "$$(scripts/tool gotestsum)" --format standard-verbose --jsonfile build/tests.json \
	--rerun-fails=1 --rerun-fails-max-failures=4 --post-run-command scripts/failed-tests

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## the program, build/heron
	@echo "building heron (about a minute the first time)"
	@go build -trimpath -ldflags '-s -w -X main.version=$(VERSION) -X main.revision=$(REVISION) -X main.committed=$(COMMITTED)' -o build/heron ./cmd/heron

.PHONY: install
install: build ## the program and its configuration into PREFIX (~/.heron)
	scripts/install "$(PREFIX)"

.PHONY: demo
demo: setup build ## a sample topology on a real Nomad and ZooKeeper, shown and killed
	@scripts/tool nomad >/dev/null
	scripts/with-servers scripts/demo

.PHONY: test
test: setup tools lint proto-check cross build ## everything that has to pass; installs what it needs
	scripts/with-servers $(ALL_TESTS) --packages ./... -- $(TEST_FLAGS)
	scripts/with-servers scripts/golden-variant -v

.PHONY: race
race: setup tools ## the same tests but those of the whole program, and nothing else
	scripts/with-servers $(TEST_ENV) go test $(TEST_FLAGS) -v $$(go list ./... | grep -v /e2e)

.PHONY: golden
golden: setup ## the golden tests on another tree of the same form
	scripts/with-servers scripts/golden-variant

.PHONY: soak
soak: setup build tools ## the long test matrices in full, and every fuzz target for a minute
	HERON_SOAK=1 scripts/with-servers go test -count=1 -p 1 -parallel 16 -timeout 6h -v ./...
	scripts/fuzz 60s

.PHONY: bench
bench: setup tools ## commands next to their bare requests, uploads of 1 GiB next to curl, scp and a plain PutObject, then what is measured in Go alone
	go test -run '^$$' -bench . -benchtime 1x -timeout 1h ./internal/commandbench
	go test -run '^$$' -bench . -benchtime 1x -timeout 1h ./internal/uploadbench
	go test -run '^$$' -bench . -benchmem $$(go list ./... | grep -Ev '/(upload|command)bench')

.PHONY: lint
lint: setup ## formatting, vet, golangci-lint, shellcheck
	@files=$$(gofmt -l cmd conf internal scripts); test -z "$$files" || { echo "not formatted; gofmt -w" $$files >&2; exit 1; }
	go vet ./...
	@for module in proto toxiproxy; do (cd scripts/tools/$$module && go vet .) || exit 1; done
	"$$(scripts/tool golangci-lint)" run --allow-parallel-runners
	shellcheck $(SHELL_SCRIPTS)

.PHONY: cross
cross: ## builds for every platform
	@for platform in $(PLATFORMS); do \
		echo "building for $$platform"; \
		GOOS=$${platform%/*} GOARCH=$${platform#*/} go build ./... || exit 1; \
	done

.PHONY: proto
proto: ## the Go code of the protobuf messages, made again
	scripts/proto

.PHONY: proto-check
proto-check: ## that this code is up to date
	scripts/proto --check

.PHONY: tools
tools: setup ## the programs that tests run, built where the machine has none
	@scripts/tool nomad consul prometheus versitygw toxiproxy golangci-lint gotestsum >/dev/null

.PHONY: setup
setup: ## packages that tests and demo need, on Debian as root
	@scripts/setup

.PHONY: clean
clean: ## away with what was built, but not with the cache folder
	rm -rf build
