# The commands of this project; each works from a fresh clone and installs what it lacks.
# What they run: CMakePresets.json (how it is built), scripts/ (everything else).

.PHONY: help demo build release test check format bench soak package clean
.DEFAULT_GOAL := help

help: ## this list
	@sed -nE "s/^([a-z]+):.*## (.*)/\1 \2/p" Makefile | while read -r name what; do \
	  printf "  make %-8s %s\n" "$$name" "$$what"; done

demo: ## start a broker, connect devices, show messages flow; leaves the broker running
	@scripts/demo

build: ## build/dev/gnomon and the unit tests, quick to build, for debugging
	@scripts/install-packages build
	@scripts/build dev

release: ## build/release/gnomon: -O3 and link-time optimisation
	@scripts/install-packages build
	@scripts/build release

test: ## everything that CI runs; the last line is "N passed, N failed"
	@scripts/test

check: ## format, layers, tidy rules, clang-tidy
	@scripts/install-packages build test
	@scripts/test checks clang-tidy

format: ## rewrite the C++ files as .clang-format says
	@scripts/install-packages test
	@scripts/check-format --fix

bench: release ## loads on Gnomon, mosquitto and a bare forwarder, side by side
	@scripts/install-packages bench
	@scripts/bench

soak: release ## a long run under mixed load; watches memory and lost messages
	@scripts/soak

package: release ## build/release/gnomon_….deb with a systemd unit, a manual page and completions
	@scripts/install-packages package
	@cd build/release && cpack >cpack.log 2>&1 || { tail -n 40 cpack.log; exit 1; }
	@ls build/release/gnomon_*.deb

clean: ## remove build/
	@rm -rf build
