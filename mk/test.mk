# Tests, checks and benchmarks.
#
# `make test TESTS=t/node` runs a part.  The module is built with nginx's own
# flags, whatever the flavour of the programs.

TESTS ?= $(UNIT_TESTS) t
MODULE_B ?= build/release
MODULE ?= $(abspath $(MODULE_B))/ngx_http_offload_module.so

test: ## build all and run every test; the last line counts
	@mk/deps.sh build run test
	@$(MAKE) --no-print-directory all unit-tests
	@$(MAKE) --no-print-directory B=$(MODULE_B) FLAVOUR=release module
	@OFFLOAD_BUILD=$(abspath $(B)) OFFLOAD_MODULE=$(MODULE) \
	    mk/test.pl $(TESTS)

asan: ## the tests with programs under AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory FLAVOUR=asan test
ubsan: ## the tests with programs under UBSan
	@$(MAKE) --no-print-directory FLAVOUR=ubsan test
tsan: ## the tests with programs under ThreadSanitizer
	@$(MAKE) --no-print-directory FLAVOUR=tsan test

C_FILES = $(shell git ls-files '*.c' '*.h' ':!ngx_module')
HEADERS = $(shell git ls-files '*.h' ':!ngx_module' ':!t')

check: ## format, cppcheck, clang, headers that compile alone
	@mk/deps.sh build check
	clang-format --dry-run -Werror $(C_FILES)
	cppcheck --quiet --std=c11 --enable=warning,performance,portability \
	    --inline-suppr --error-exitcode=1 -Iinclude -I. \
	    -DOL_VERSION='"$(VERSION)"' \
	    $(filter-out t/%,$(filter %.c,$(C_FILES)))
	@$(MAKE) --no-print-directory headers
	@$(MAKE) --no-print-directory headers CC=clang
	@$(MAKE) --no-print-directory CC=clang B=build/clang all unit-tests

headers: $(addprefix header/,$(HEADERS))
header/%:
	@$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -fsyntax-only -x c -include $* /dev/null

bench: ## offload get against curl, on the files of the demo
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory B=$(MODULE_B) FLAVOUR=release module
	OFFLOAD_BUILD=$(abspath $(B)) OFFLOAD_MODULE=$(MODULE) bench/get

.PHONY: asan bench check headers test tsan ubsan
