.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

# More arguments for the program behind a target, as in `make run ARGS=--once`.
ARGS ?=
# The name that `make image` gives, which is the one that manifests/ run.
IMAGE ?= regcred:0.1.0
CRD := manifests/registrycredentials.regcred.dev.yaml

# How many `make race` runs.
RACES ?= 10000

# Which mutants `make mutants` takes, by the numbers that their names begin with; all if none is given.
MUTANTS ?=

# The namespaces that `make namespaced` limits regcred to.
NAMESPACES ?= registries,team-a

# Where `make garden` lets the webhooks call regcred: HOST or HOST:PORT.
HOST ?= regcred.example.com

.PHONY: help run test model race mutants lint bench bench-memory bench-rotation control-plane certificates manifests namespaced garden image

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Show regcred at work on a real control plane (ARGS=--once ends by itself)
	cargo build --locked --bin regcred --example demo
	@cargo run --locked --quiet --example demo -- $(ARGS)

test: ## Run all tests against a real control plane (KUBERNETES=1.33 for the oldest supported)
	.ci/test $(ARGS)

# Optimized as the release is, but for the dependencies: to compile those anew takes longer than the model.
model: ## Check every order of steps of the protocol that protects Secrets, within larger bounds than `make test`
	cargo test --locked --config profile.dev.package.regcred.opt-level=3 --test protection_model -- --include-ignored

# The last line is what came of them, as JSON.
race: ## Let Shoots take up Secrets while these are deleted, 10,000 times (RACES=2000 for fewer)
	@assets=$$(tests/control-plane/build | tail -n 1); log=$$(mktemp); trap 'rm -f "$$log"' EXIT; code=0; \
	REGCRED_RACES=$(RACES) KUBEBUILDER_ASSETS=$$assets cargo test --locked --test protection_races 2>&1 | tee "$$log" || code=$$?; \
	grep '^{"races"' "$$log" | tail -n 1; exit "$$code"

# The last line is what came of it, as JSON.
mutants: ## Take parts of the protection of Secrets out, one by one, and see that a test misses each (MUTANTS=03 for one)
	@assets=$$(tests/control-plane/build | tail -n 1); KUBEBUILDER_ASSETS=$$assets tests/protection_mutants/run $(MUTANTS)

lint: ## Check formatting, lints, dependencies and file lengths
	.ci/lint

bench: ## Measure the server against a bare one, and the cost of a decision
	cargo bench --locked --bench server -- $(ARGS)

bench-memory: ## Measure what replicas keep of a large cluster on a real API server (ARGS=--scale=10 for a small one)
	assets=$$(tests/control-plane/build | tail -n 1); KUBEBUILDER_ASSETS=$$assets cargo bench --locked --bench memory -- $(ARGS)

bench-rotation: ## Measure how long a new source takes to 1,000 namespaces on a real API server
	assets=$$(tests/control-plane/build | tail -n 1); KUBEBUILDER_ASSETS=$$assets cargo bench --locked --bench rotation

control-plane: ## Build the control plane for the tests (once; minutes the first time) and print its folder
	tests/control-plane/build

certificates: ## Make a development certificate: the overlay certs/development of manifests/ (ARGS=--force replaces it)
	cargo run --locked -- certificates --output certs/development $(ARGS)

manifests: ## Generate the CustomResourceDefinition in manifests/ from its Rust type
	@new=$$(mktemp); trap 'rm -f "$$new"' EXIT; \
	cargo run --locked --quiet -- manifests crd >"$$new"; \
	cp "$$new" $(CRD); echo "wrote $(CRD)"

namespaced: ## Write manifests/namespaced/ for some namespaces (NAMESPACES=registries,team-a, ARGS=--evict-failing-pods)
	@for part in rbac:roles limits:limits; do \
	new=$$(mktemp); \
	cargo run --locked --quiet -- manifests "$${part%:*}" --namespaces="$(NAMESPACES)" $(ARGS) >"$$new" || { rm -f "$$new"; exit 1; }; \
	mv "$$new" "manifests/namespaced/$${part#*:}.yaml"; echo "wrote manifests/namespaced/$${part#*:}.yaml"; done

garden: ## Write manifests/garden/ for a regcred outside of the cluster (HOST=regcred.example.com:8443)
	@new=$$(mktemp); cargo run --locked --quiet -- manifests garden --host="$(HOST)" >"$$new" || { rm -f "$$new"; exit 1; }; \
	mv "$$new" manifests/garden/webhooks.yaml; echo "wrote manifests/garden/webhooks.yaml"

image: ## Build the container image
	docker build --tag $(IMAGE) .
