# Each target is one thought; the stages of the whole check are in scripts/test.sh.
SHELL   := /bin/bash
TOOLBIN := $(CURDIR)/.tools/bin
export PATH := $(TOOLBIN):$(PATH)

.PHONY: test long conformance tools generate build fmt lint unit interop fuzz measure bench

test: ## the whole check, as CI runs it
	@bash scripts/test.sh

long: ## the whole check in its long form
	@FUZZTIME=30s FUZZTIME_OPERATIONS=10m CPM_LONG=1 bash scripts/test.sh

conformance: ## write docs/spec-conformance.md from the tests that pass
	@bash scripts/conformance.sh

tools: ## build the developers' tools into .tools/bin
	@bash scripts/tools.sh

generate: tools ## write gen/ from proto/
	buf generate

build: ## the static binary, bin/cpm
	CGO_ENABLED=0 go build -trimpath -o bin/cpm ./cmd/cpm

fmt: tools ## format all Go files
	golangci-lint fmt $(wildcard cmd internal sdk test tools)

lint: tools ## vet, staticcheck, linters, proto lint
	go vet ./...
	staticcheck ./...
	golangci-lint run ./...
	buf lint

unit: ## tests of the product's packages
	go test -race ./internal/... ./cmd/... ./sdk/...

interop: ## tests against the official Node library
	@bash scripts/node.sh
	go test -count=1 -v ./test/interop/...

fuzz: ## each fuzz target for FUZZTIME (default 5s), those of operations for FUZZTIME_OPERATIONS (30s)
	@bash scripts/fuzz.sh

measure: ## figures that depend on the machine; CPM_MEASURE asks the tests for them
	CPM_MEASURE=1 go test -count=1 -v -run '^TestMeasure' ./...
	go test -run '^$$' -bench . -benchmem ./internal/...

bench: build ## drive a running server: make bench ARGS='…'
	bin/cpm bench $(ARGS)
