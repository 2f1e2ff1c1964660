# Fuzzers, for each parser of outside input in the module and the coordinator:
# fuzz/NAME.c, begun with the samples in fuzz/corpus/NAME and the words in
# fuzz/NAME.dict.
#
# `make fuzz FUZZ="report sync" FUZZ_TIME=60` runs a part.  What is found is
# left in build/fuzz/found, what was learnt in build/fuzz/corpus.  The module's
# are linked with a real nginx, built here from the distribution's sources.

FUZZ := $(patsubst fuzz/%.c,%,$(wildcard fuzz/*.c))
FUZZ_COORDINATOR := config message query redis udp_packet
FUZZ_TIME ?= 600
FUZZ_JOBS ?= $(shell nproc)
FUZZ_B := build/fuzz
FUZZ_NGINX := $(FUZZ_B)/nginx
FUZZ_ASAN := -O1 -g -fno-omit-frame-pointer -DNGX_DEBUG_PALLOC=1 \
             -fsanitize=fuzzer-no-link,address
FUZZ_CFLAGS := $(FUZZ_ASAN) -fsanitize=undefined \
               -fno-sanitize-recover=undefined -D_GNU_SOURCE -Wall -Wextra \
               -Wno-unused-parameter -Wno-missing-field-initializers -Werror \
               -DNGX_HTTP_OFFLOAD_STATE_PATH='"offload_state"' \
               -DOL_VERSION='"$(VERSION)"' -Iinclude -I. -Ingx_module \
               $(patsubst %,-isystem $(FUZZ_NGINX)/%,objs src/core src/event \
                   src/event/modules src/os/unix src/http src/http/modules)
FUZZ_OBJ := $(patsubst %.c,$(FUZZ_B)/obj/%.o,$(wildcard ngx_module/*.c \
              lib/*.c))
FUZZ_BIN := $(FUZZ:%=$(FUZZ_B)/%)
FUZZ_COORDINATOR_OBJ := $(patsubst %.c,$(FUZZ_B)/obj/%.o,$(NET_SRC) $(LIB_SRC) \
    $(filter-out coordinator/main.c,$(COORDINATOR_SRC)))
# fuzz/redis.c takes the place of the connection.
FUZZ_WRAP := $(patsubst %,-Wl$(comma)--wrap=%,link_send link_send_argv \
    link_send_setup link_lost soft_open)

fuzz: ## the fuzzers, FUZZ_TIME=600 seconds each
	@mk/deps.sh build source fuzz
	@mk/nginx-source.sh $(NGINX_DEBIAN)
	@$(MAKE) --no-print-directory fuzzers
	@printf '%s\n' $(FUZZ) | xargs -P $(FUZZ_JOBS) -I{} \
	    mk/fuzz.sh $(FUZZ_B) {} $(FUZZ_TIME)

fuzzers: $(FUZZ_BIN)
	@:

# The samples and what was learnt earlier, once each, without a fuzzer's time.
fuzz-samples:
	@$(MAKE) --no-print-directory FUZZ_TIME=0 fuzz

$(filter-out $(FUZZ_COORDINATOR:%=$(FUZZ_B)/%),$(FUZZ_BIN)): $(FUZZ_B)/%: $(FUZZ_B)/obj/fuzz/%.o $(FUZZ_B)/libmodule.a \
    $(FUZZ_B)/libnginx.a
	$(call say,LINK,$@)
	$(Q)clang -fsanitize=fuzzer,address,undefined -o $@ $^ \
	    $(FUZZ_B)/libmodule.a $(LIB_LIBS) -lcrypt -lpthread -ldl

$(FUZZ_COORDINATOR:%=$(FUZZ_B)/%): $(FUZZ_B)/%: $(FUZZ_B)/obj/fuzz/%.o \
    $(FUZZ_B)/libcoordinator.a
	$(call say,LINK,$@)
	$(Q)clang -fsanitize=fuzzer,address,undefined -o $@ $^ \
	    $(if $(filter redis,$*),$(FUZZ_WRAP)) -lhiredis -lmaxminddb \
	    $(NET_LIBS) $(LIB_LIBS) -lpthread

$(FUZZ_B)/libcoordinator.a: $(FUZZ_COORDINATOR_OBJ)
$(FUZZ_B)/libmodule.a: $(FUZZ_OBJ)
$(FUZZ_B)/libcoordinator.a $(FUZZ_B)/libmodule.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(FUZZ_B)/obj/%.o: %.c $(FUZZ_B)/libnginx.a mk/fuzz.mk
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)clang $(FUZZ_CFLAGS) -MMD -MP -c -o $@ $<

# nginx's own main gives way to the fuzzer's.
$(FUZZ_B)/libnginx.a: $(FUZZ_NGINX)/objs/Makefile
	$(call say,MAKE,$@)
	$(Q)$(MAKE) -C $(FUZZ_NGINX) -f objs/Makefile objs/nginx \
	    $(if $(V),,> $(FUZZ_NGINX)/make.log)
	$(Q)objcopy --redefine-sym main=ngx_main \
	    $(FUZZ_NGINX)/objs/src/core/nginx.o
	$(Q)rm -f $@ && ar rcs $@ $$(find $(FUZZ_NGINX)/objs -name '*.o')

$(FUZZ_NGINX)/objs/Makefile: $(NGINX_DEBIAN).version mk/fuzz.mk
	@mkdir -p $(FUZZ_NGINX)
	$(Q)cp -r $(NGINX_DEBIAN)/. $(FUZZ_NGINX)/
	$(Q)cd $(FUZZ_NGINX) && ./configure --with-cc=clang --with-threads \
	    --without-pcre --without-http_rewrite_module \
	    --without-http_gzip_module --with-cc-opt='$(FUZZ_ASAN)' \
	    --with-ld-opt='-fsanitize=address' > configure.log

.PHONY: fuzz fuzzers fuzz-samples
-include $(FUZZ_OBJ:.o=.d) $(FUZZ_COORDINATOR_OBJ:.o=.d) $(FUZZ:%=$(FUZZ_B)/obj/fuzz/%.d)
