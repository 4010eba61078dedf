# The words to remember: `make demo`, `make dev`, `make serve`, `make test`, `make bench`.

PORT ?= 8000
INSTANCE ?= instance
SIMULATE ?= --simulate ice40-hx8k --simulate ice40-hx1k

.PHONY: help demo dev serve build release test bench fmt clean-demo

help:
	@echo "make demo    build everything, then watch designs become bitstreams that are executed"
	@echo "make dev     a server with workers and virtual boards, on http://127.0.0.1:$(PORT)"
	@echo "make serve   the same as a release build, for real use, with the boards that are there"
	@echo "make test    every check: format, lints, documentation, all tests"
	@echo "make bench   how fast a release build is on this machine (minutes; it should have nothing else to do)"

demo: tools build
	tools/demo

dev: tools build
	target/debug/polyphemus serve --instance $(INSTANCE) --listen 127.0.0.1:$(PORT) $(SIMULATE)

serve: tools release
	target/release/polyphemus serve --instance $(INSTANCE) --listen 127.0.0.1:$(PORT)

build:
	cargo build --locked --bin polyphemus

release:
	cargo build --locked --release --bin polyphemus

test:
	tools/test

bench: tools
	tools/bench

fmt:
	cargo fmt --all

.PHONY: tools
tools:
	tools/install-tools
