# The two commands of a newcomer are `make demo` and `make test`; each sets up all it needs in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Tests start a thousand processes. Where Python is asked to write no bytecode, each would compile the whole again.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/bytecode

# Three for two processors: end-to-end tests also wait, and each worker takes some seconds to collect all tests. Work is
# stolen rather than dealt, so that the tests of a file, which share a relay, mostly stay together and all workers end at
# the same time.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((len(os.sched_getaffinity(0)) * 3 + 1) // 2)')

.DEFAULT_GOAL := help

help:          ## what there is
	@grep -E '^[a-z-]+: .*##|^[a-z-]+: *##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/installed: pyproject.toml requirements/run.txt requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Gatepost needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(VENV)/installed     ## the whole story on this machine, in a minute
	@$(BIN)/gatepost demo

test: $(VENV)/installed     ## types, floors, style, and every test
	$(BIN)/ruff check .
	@{ $(BIN)/mypy && $(BIN)/lint-imports; } > $(VENV)/checks 2>&1 & checks=$$!; \
	echo '$(BIN)/mypy && $(BIN)/lint-imports &'; \
	echo '$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not attack"'; \
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not attack"; tests=$$?; \
	wait $$checks; checks=$$?; cat $(VENV)/checks; exit $$((tests || checks))

test-all:                   ## make test on Python 3.11, 3.12 and 3.13, where they are; says which are not
	@.ci/test-all

soak: $(VENV)/installed     ## what `make test` repeats a few times, as often as it is worth; about half an hour
	GATEPOST_SOAK=1 $(BIN)/pytest -n $(WORKERS) --dist worksteal -m soak --timeout 3600

attack: $(VENV)/installed   ## every attack of tests/attacks, the heavy ones too
	$(BIN)/pytest tests/attacks --timeout 900

interop: $(VENV)/installed  ## real Postfix, Exim, OpenSMTPD, swaks, openssl (Debian, root)
	$(BIN)/pytest interop -p no:cacheprovider

browser: $(VENV)/installed  ## the console in Debian's Chromium: every page, axe, pictures in build/browser
	@command -v chromium > /dev/null || { apt-get -o DPkg::Lock::Timeout=300 update -qq && \
	  apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends chromium fonts-dejavu-core > /dev/null; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/browser.txt
	$(BIN)/pytest browser -p no:cacheprovider

pictures: browser           ## the pictures of the manual, made anew
	cp build/browser/walk/*.png docs/howto/pictures/

bench: $(VENV)/installed    ## messages/s and CPU per message, with Postfix beside it where it can be had
	$(BIN)/python bench/run.py

torture: $(VENV)/installed  ## N kills under load (kill -9), then a reckoning; SEED chooses victims and moments
	@PYTHONPATH=tests nice $(BIN)/python -m end_to_end.torture --kills $(or $(N),100) --seed $(or $(SEED),1)

fuzz: $(VENV)/installed     ## 100,000 random dialogues cut every way, 100,000 damaged files for the doctor, a minute for each parser
	$(BIN)/python fuzz/cutting.py 100000
	$(BIN)/python fuzz/doctor.py 100000
	$(MAKE) fuzz-network SECONDS=60

FUZZED := smtp-server smtp-client tls-server certificates proxy-header commands
SECONDS := 600

fuzz-network: $(VENV)/installed  ## all that reads from the network, coverage-guided; an hour, or SECONDS=60 a target
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/fuzz.txt
	@for target in $(FUZZED); do echo "== $$target"; $(BIN)/python fuzz/network.py $$target $(SECONDS) || exit 1; done

lock:                       ## pin the newest dependencies again, with hashes
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements/run.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra dev requirements/build.in pyproject.toml -o requirements/dev.txt
	uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/fuzz.in -o requirements/fuzz.txt
	uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -c requirements/dev.txt requirements/browser.in -o requirements/browser.txt

clean:
	rm -rf $(VENV) $(VENV)-* build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.PHONY: help demo test test-all soak attack interop browser pictures bench torture fuzz fuzz-network lock clean
