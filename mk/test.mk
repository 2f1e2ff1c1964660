# Tests, checks and benchmarks.
#
# `make test TESTS=t/node` runs a part, NGINX_SRC=DIR runs them with another
# nginx.  A stock nginx loads a module with UBSan, but none with ASan or TSan.

TESTS ?= $(UNIT_TESTS) t
MODULE_FLAVOUR := $(if $(filter asan ubsan,$(FLAVOUR)),$(FLAVOUR),release)
MODULE_B := build/$(MODULE_FLAVOUR)
MODULE := $(abspath $(patsubst $(B)/%,$(MODULE_B)/%,$(MODULE_SO)))
make_module = $(MAKE) --no-print-directory B=$(MODULE_B) \
    FLAVOUR=$(MODULE_FLAVOUR) module
# What a program needs that runs what was built.
BUILT = OFFLOAD_BUILD=$(abspath $(B)) OFFLOAD_MODULE=$(MODULE) $(BUILT_NGINX)
BUILT_NGINX = $(if $(NGINX_OWN),NGINX=$(dir $(MODULE))sbin/nginx \
    ASAN_OPTIONS=$(NGINX_ASAN) UBSAN_OPTIONS=$(NGINX_UBSAN) \
    LSAN_OPTIONS=$(NGINX_LSAN))
# Every dynamic module of nginx has an ngx_modules of its own, and tests preload
# libraries.
NGINX_ASAN := exitcode=86:detect_stack_use_after_return=1
NGINX_ASAN := $(NGINX_ASAN):detect_odr_violation=0:verify_asan_link_order=0
NGINX_UBSAN := print_stacktrace=1:halt_on_error=1
NGINX_UBSAN := $(NGINX_UBSAN):suppressions=$(CURDIR)/mk/nginx.ubsan
NGINX_LSAN := suppressions=$(CURDIR)/mk/nginx.lsan:print_suppressions=0

# `make module test` does one after the other.
test: | $(filter module all unit-tests,$(MAKECMDGOALS))

test: ## build all and run every test; the last line counts
	@mk/deps.sh build run test
	@$(MAKE) --no-print-directory all unit-tests $(B)/crowd
	+@$(make_module)
	@$(MAKE) --no-print-directory npm || true
	@$(BUILT) mk/test.pl $(TESTS)

asan: ## the tests under AddressSanitizer and UBSan, the module under UBSan
	@$(MAKE) --no-print-directory FLAVOUR=asan test
ubsan: ## the tests under UBSan
	@$(MAKE) --no-print-directory FLAVOUR=ubsan test
tsan: ## the tests with programs under ThreadSanitizer
	@$(MAKE) --no-print-directory FLAVOUR=tsan test

# Without it its test is skipped, and all others run.
npm: build/npm/ready ## npm's bittorrent-tracker, for a test and a benchmark
build/npm/ready: $(shell find t/interop/npm -type f)
	@mkdir -p $(@D) && cp -r t/interop/npm/. $(@D)
	$(call say,NPM,$(@D))
	@cd $(@D) && npm ci --no-audit --no-fund --ignore-scripts > npm.log 2>&1 \
	    || { echo "npm ci failed, see $(@D)/npm.log; is the registry in reach?"; \
	        exit 1; }
	@touch $@

NGINX_DEBIAN := build/src/nginx-debian
ASAN_NGINX_TESTS = $(if $(filter file,$(origin TESTS)),t/module t/system \
    t/interop,$(TESTS))

asan-nginx: ## the module in an nginx under AddressSanitizer and UBSan
	@mk/deps.sh build run test source
	@mk/nginx-source.sh $(NGINX_DEBIAN)
	@$(MAKE) --no-print-directory FLAVOUR=asan NGINX_SRC=$(NGINX_DEBIAN) \
	    TESTS="$(ASAN_NGINX_TESTS)" test

soak: ## what takes minutes: faults, floods, a thousand sites
	@FILE_TIMEOUT=1800 JOBS=1 $(MAKE) --no-print-directory test \
	    TESTS="$(if $(filter file,$(origin TESTS)),t/soak,$(TESTS))"

C_FILES = $(shell git ls-files '*.c' '*.h' ':!ngx_module')
# cppcheck reads no system headers, but has to know the lists' macros.
QUEUE_H = $(filter %/sys/queue.h,$(shell \
    $(CC) -M -include sys/queue.h -x c /dev/null))
HEADERS = $(shell git ls-files '*.h' ':!ngx_module' ':!t' ':!fuzz')

# What cppcheck says of uninitialized variables is wrong for those that a
# called function fills; the compilers and the sanitizers find the others.
CPPCHECK = cppcheck --quiet --std=c11 --enable=warning,performance,portability \
    --inline-suppr --suppress=uninitvar --suppress=ctuuninitvar \
    --error-exitcode=1 --include=$(QUEUE_H) -Iinclude -I. \
    -DOL_VERSION='"$(VERSION)"'

check: ## format, cppcheck, gcc and clang, headers that compile alone
	@mk/deps.sh build check
	@echo clang-format
	@clang-format --dry-run -Werror $(C_FILES)
	@echo cppcheck
	@$(CPPCHECK) $(filter-out t/%,$(filter %.c,$(C_FILES)))
	@echo headers alone
	@$(MAKE) --no-print-directory headers
	@$(MAKE) --no-print-directory headers CC=clang
	@echo gcc, clang
	@$(MAKE) --no-print-directory all unit-tests
	@$(MAKE) --no-print-directory CC=clang B=build/clang all unit-tests

headers: $(addprefix header/,$(HEADERS))
header/%:
	@$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -fsyntax-only -x c -include $* /dev/null

bench: ## offload get against curl, on the files of the demo
	@$(MAKE) --no-print-directory all
	+@$(make_module)
	@$(BUILT) bench/get

bench-module: ## what the module costs an nginx, by wrk and by callgrind
	@mk/deps.sh build run bench
	+@$(make_module)
	@$(BUILT) bench/module $(BENCH)
ifndef BENCH
	@$(BUILT) bench/module --nodes 10000
	@$(BUILT) bench/module --contents 100000
	@$(BUILT) bench/module --callgrind
	@$(BUILT) bench/module --callgrind --nodes 10000
	@$(BUILT) bench/module --callgrind --contents 100000
endif

bench-index: ## what indexing costs, against openssl and an idle worker
	@mk/deps.sh build run bench
	@$(MAKE) --no-print-directory all $(B)/pace
	+@$(make_module)
	@$(BUILT) bench/index $(BENCH)

bench-tracker: ## announces a second, against opentracker and npm's tracker
	@mk/deps.sh build run bench
	@$(MAKE) --no-print-directory all $(B)/announce
	@$(MAKE) --no-print-directory npm || true
	@$(BUILT) bench/tracker --npm $(BENCH)
ifndef BENCH
	@$(BUILT) bench/tracker --million
endif

$(B)/pace $(B)/announce: $(B)/%: bench/%.c $(B)/flags
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -o $@ $< -lm

# More nodes than a machine can run, for tests and benchmarks.
CROWD_SRC := $(wildcard bench/crowd/*.c)
$(B)/crowd: $(CROWD_SRC) bench/crowd/crowd.h $(B)/liboffload.a $(B)/flags
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -o $@ $(CROWD_SRC) \
	    $(B)/liboffload.a -luv $(LIB_LIBS)

.PHONY: npm asan asan-nginx bench bench-index bench-module bench-tracker \
    check headers soak test
.PHONY: tsan ubsan
