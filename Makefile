# The few things that are done often. Everything else is plain `go`.
TOOLS := $(CURDIR)/.tools
export PATH := $(TOOLS):$(PATH)

GOLANGCI_LINT_VERSION := v2.15.0
GOFUMPT_VERSION := v0.12.0
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64

.PHONY: build test lint cross schema e2e e2e-fleet e2e-switch e2e-vm e2e-action clean

build: ## the binary, into ./snowdrop
	CGO_ENABLED=0 go build -trimpath -o snowdrop .

test: ## the fast tests: only Go is needed
	go test ./...

lint: $(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION) $(TOOLS)/gofumpt-$(GOFUMPT_VERSION)
	@unformatted=$$($(TOOLS)/gofumpt-$(GOFUMPT_VERSION) -l $$(git ls-files '*.go')); \
	  test -z "$$unformatted" || { echo "not formatted (gofumpt):"; echo "$$unformatted"; exit 1; }
	go mod tidy -diff
	go vet ./... && go vet -tags e2e ./...
	$(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION) run ./...

cross: ## it builds for every system that it is for
	@for p in $(PLATFORMS); do \
	  echo "$$p"; \
	  CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} go build -o /dev/null . || exit 1; \
	done

schema: ## snowdrop.schema.json from the types
	go run . schema > snowdrop.schema.json

e2e: ## the real parts: Nix, S3 with signatures, machines, doctl, act (Debian 12, root)
	e2e/run

e2e-fleet: ## of that, the command line with a fleet
	e2e/run fleet

e2e-switch: ## of that, switching over SSH and the way back
	e2e/run switch

e2e-vm: ## of that, a server verified as a virtual machine
	e2e/run vm

e2e-action: ## of that, the action: its container and the example workflows
	e2e/run action

clean:
	rm -rf snowdrop dist .tools

$(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION):
	GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv $(TOOLS)/golangci-lint $@

$(TOOLS)/gofumpt-$(GOFUMPT_VERSION):
	GOBIN=$(TOOLS) go install mvdan.cc/gofumpt@$(GOFUMPT_VERSION)
	mv $(TOOLS)/gofumpt $@
