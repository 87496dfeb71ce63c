# Needs python3 (3.10 or newer), pip and make. Works in the active virtual environment, or else in .venv, which it
# makes; whatever is missing there is installed first.

VENV := $(or $(VIRTUAL_ENV),.venv)
PYTHON := $(VENV)/bin/python
BOOT := $(firstword $(wildcard $(PYTHON)) python3)

.PHONY: run test lint bench bench-agent coverage coverage-report format pythons installs mutate env

run: env  ## the README's main job
	"$(VENV)/bin/headrace" run examples/joke.py:graph '{"topic": "ice cream"}'

test: env  ## all tests but the slow ones, on this Python
	@"$(PYTHON)" -m coverage erase
	@"$(PYTHON)" -m coverage run -m pytest -q -n 4 $(ARGS)

lint: env  ## style, types, layers
	@"$(PYTHON)" -m ruff check .
	@"$(PYTHON)" -m ruff format --check .
	@"$(PYTHON)" -m mypy
	@"$(VENV)/bin/lint-imports" --no-cache

bench: env  ## headrace beside langgraph
	"$(PYTHON)" bench/engine.py $(ARGS)

bench-agent: env  ## its agents beside langchain's and openai-agents
	"$(PYTHON)" bench/agent.py $(ARGS)

coverage: test coverage-report  ## the tests, then what they did not reach

coverage-report: env  ## what the last `make test` did not reach in engine, channels and stream; fails below its floor
	@"$(PYTHON)" -m coverage combine -q || true
	@"$(PYTHON)" -m coverage report

format: env
	@"$(PYTHON)" -m ruff check --fix .
	@"$(PYTHON)" -m ruff format .

pythons: env  ## the tests on every Python of this machine, 3.10 to 3.14
	@"$(PYTHON)" -m tools.pythons $(ARGS)

installs: env  ## the wheel, bare and with [all], on the oldest and the newest Python of this machine
	@"$(PYTHON)" -m tools.installs

mutate: env  ## every change of plan and apply that mutmut knows, and whether a test notices
	@"$(PYTHON)" -m tools.mutate

env:
	@"$(BOOT)" -m tools.environment "$(VENV)"
