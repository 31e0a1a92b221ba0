# Each target is a word to dev/lanes.py, which sets up what it needs under .venvs/.
#
#   make test                    every lane that can run here
#   make test ARGS="-k pull"     with arguments for pytest
#   make test CONDA=~/miniforge3 with this conda (a root prefix, or its python)
#   make test CONDA=none         without any
#   make test PYTHON=python3.12  with this python in the lane without conda
#   make test-long               the same lanes, with more of what is tried at random
#   make package                 the conda package, in a channel of its own
#   make bench                   measure, and write docs/benchmarks.rst; needs a conda
#   make bench ARGS="floor -k 3" some of it, three times each
#
#   make test-s3 SERVER=ceph20   what holds on every S3 server, on a real one: ceph16,
#                                ceph18, ceph20, swift, ministack, s3rver, or the URL of
#                                one of yours, with AWS_ACCESS_KEY_ID and so on. No part
#                                of `make test`: it downloads up to 500 MB, once.

# The first python that is new enough and can make a venv; else the first new enough.
PYTHON ?= $(shell \
  for need in 'sys, ensurepip' sys; do \
    for python in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do \
      $$python -c "import $$need; sys.exit(sys.version_info < (3, 10))" 2>/dev/null \
        && echo $$python && exit; \
    done; \
  done)
LANES = $(or $(PYTHON),$(error no python3 >=3.10 found: install one, or set PYTHON=PATH)) \
  dev/lanes.py

.PHONY: bench demo package test test-long test-s3 lint format clean

demo:
	@$(LANES) demo

package:
	@$(LANES) package

bench:
	@$(LANES) bench $(ARGS)

test test-long:
	@$(LANES) $@ $(ARGS)

test-s3:
	@$(LANES:lanes.py=servers.py) $(or $(SERVER),$(error set SERVER)) $(ARGS)

lint:
	@$(LANES) lint

format:
	@$(LANES) format

clean:
	@$(LANES) clean
