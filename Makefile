# The first command installs everything into .venv; nothing else on the machine is touched.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
DATA ?= data/demo

.DEFAULT_GOAL := help
.PHONY: help demo test ui lint format docs pictures scenario-staleness scenario-stream-kills scenario-cycle-kills scenario-interrupts bench bench-hourly bench-quality bench-canary bench-models bench-stream bench-week bench-machines bench-alerts bench-diagnosis bench-sources

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 22

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 is needed, this is " + sys.version) if sys.version_info[:2] != (3, 11) else 0'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: .venv/installed ## a fleet from raw readings to alerts, in data/demo
	rm -rf data/demo
	$(BIN)/fridge-assets --data-dir data/demo demo

ui: .venv/installed ## the asset graph of data/demo in the Dagster UI (another fleet: make ui DATA=data)
	$(BIN)/fridge-assets --data-dir $(DATA) ui

# Hundreds of processes load the code: compiling it again takes each of them a third of a second.
test: export PYTHONDONTWRITEBYTECODE :=
test: .venv/installed ## all tests
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

scenario-staleness: .venv/installed ## scores grow old under a real daemon, an hour lasting 80 s; prints what happened when
	$(BIN)/python -m fridge_assets_tests.scenarios.staleness

SEED ?= 1
scenario-stream-kills: KILLS ?= 1000
scenario-stream-kills: .venv/installed ## the stream is killed KILLS times and loses nothing; SEED=… plays a round again
	$(BIN)/python -m fridge_assets_tests.scenarios.stream_kills --seed $(SEED) --kills $(KILLS)

scenario-cycle-kills: KILLS ?= 100
scenario-cycle-kills: .venv/installed ## a history is killed KILLS times and holds the same bits; SEED=… plays a round again
	$(BIN)/python -m fridge_assets_tests.scenarios.cycle_kills --seed $(SEED) --kills $(KILLS)

scenario-interrupts: KILLS ?= 60
scenario-interrupts: .venv/installed ## commands are interrupted KILLS times and block nobody; SEED=… plays a round again, SHORT=1 leaves out those that take longest
	$(BIN)/python -m fridge_assets_tests.scenarios.interrupts --seed $(SEED) --kills $(KILLS) $(if $(SHORT),--short)

lint: .venv/installed ## style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/installed ## the pages that are made of the code
	$(BIN)/python -m fridge_assets.contracts.docs > docs/datasets.md

pictures: .venv/installed ## the pictures of the tutorial about sources, from what its commands print
	$(BIN)/python -m fridge_assets_tests.sources.tutorial

format: .venv/installed ## put the code in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: bench-hourly bench-quality bench-week bench-machines bench-canary bench-models bench-stream bench-alerts bench-diagnosis bench-sources ## every benchmark

bench-hourly: .venv/installed ## one hourly cycle of 100,000 devices, at once and in steady state, beside pandas and a bare DuckDB script
	$(BIN)/python -m fridge_assets_tests.benchmarks.hourly

bench-quality: .venv/installed ## what is found, how early, how often in vain: 1,000 devices, 96 hours
	$(BIN)/python -m fridge_assets_tests.benchmarks.quality

bench-week: .venv/installed ## seven days of 2,000 devices with every fault, as people live through them: 45 minutes
	$(BIN)/python -m fridge_assets_tests.benchmarks.week

bench-machines: .venv/installed ## 500 machines that start and stop, 10 days: healthy, with every fault, with little history: an hour
	$(BIN)/python -m fridge_assets_tests.benchmarks.machines

bench-canary: .venv/installed ## what the canary says of equal and of bad candidates: 20,000 devices
	$(BIN)/python -m fridge_assets_tests.benchmarks.canary

bench-models: .venv/installed ## the four models: a daily cycle of 100,000 devices, faults found and named, healthy fleet
	$(BIN)/python -m fridge_assets_tests.benchmarks.models

.venv/installed-bench: .venv/installed
	$(BIN)/pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	touch $@

bench-stream: .venv/installed-bench ## the stream: readings a second, seconds to an alert, beside Bytewax
	$(BIN)/python -m fridge_assets_tests.benchmarks.stream

bench-alerts: .venv/installed ## 10,000 new alerts in one run, and `alerts list` from 1,000,000 of them
	$(BIN)/python -m fridge_assets_tests.benchmarks.alerts

bench-sources: .venv/installed ## files of each text format, 100 MB each, beside DuckDB for CSV
	$(BIN)/python -m fridge_assets_tests.benchmarks.sources

bench-diagnosis: .venv/installed ## whether the probable cause is the right one: 1,000 devices, every gradual fault
	$(BIN)/python -m fridge_assets_tests.benchmarks.diagnosis
