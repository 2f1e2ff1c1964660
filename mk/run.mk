# The demo: a site, its coordinator and three nodes on this machine.

run: ## start a whole demo; PORT=8080, DETACH=1 to return at once
	@mk/deps.sh build run
	@$(MAKE) --no-print-directory all
	+@$(make_module)
	@$(BUILT) exec demo/run

stop: ## stop a demo that runs
	@demo/run stop

.PHONY: run stop
export PORT DETACH
