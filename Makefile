# The verbs people and CI run. Each sets up what it needs first.
.PHONY: demo test serve bench soak check setup

demo: ## set up, make a small series, send it through the gate, print the verdicts
	@./setup
	.venv/bin/dramagate demo --no-serve --dir demo-out

serve: ## set up and run the gateway with its console
	@./setup
	.venv/bin/dramagate serve

test: ## set up and run every test this machine can run
	@./setup --test
	.venv/bin/python -m pytest $(PYTEST)

check: ## format, lint, types, import contracts, documentation
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/dramagate rules check

bench: ## every measurement, as ratios
	.venv/bin/dramagate bench

soak: ## the long runs; their last results are kept under docs/benchmarks
	@./setup --test
	.venv/bin/python -m pytest --soak -m soak $(PYTEST)

setup:
	@./setup --test
