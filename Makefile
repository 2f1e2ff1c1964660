# Offload.  `make help` lists the targets.
#
# Everything built lies in build/FLAVOUR; each flavour has objects of its own,
# which depend on the headers they include and on the compiler's command line.
# Steps that need an order (packages, build, run) are sub-makes of one recipe.

FLAVOUR ?= release
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
B ?= build/$(FLAVOUR)
VERSION := 0.1.0

FLAVOURS := release debug asan ubsan tsan
ifeq ($(filter $(FLAVOUR),$(FLAVOURS)),)
$(error FLAVOUR=$(FLAVOUR) is not known; it is one of: $(FLAVOURS))
endif
ifeq ($(MAKELEVEL)$(filter -j% --jobs%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

CSTD := -std=c11 -D_GNU_SOURCE
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
        -Wformat=2 -Wundef -Wvla -Werror
CPPFLAGS += -Iinclude -I. -DOL_VERSION='"$(VERSION)"'
CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong
CFLAGS_debug := -O0 -g3
CFLAGS_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
               -fno-sanitize-recover=undefined
CFLAGS_ubsan := -O1 -g -fsanitize=undefined -fno-sanitize-recover=undefined
CFLAGS_tsan := -O1 -g -fsanitize=thread
LDFLAGS_release := -Wl,-z,relro,-z,now
ALL_CFLAGS = $(CSTD) $(WARN) -fPIC -fvisibility=hidden $(CFLAGS_$(FLAVOUR)) \
             $(CFLAGS)
ALL_LDFLAGS = $(LDFLAGS_$(FLAVOUR)) $(LDFLAGS)

LIB_SRC := $(wildcard lib/*.c)
NET_SRC := $(wildcard net/*.c)
COORDINATOR_SRC := $(wildcard coordinator/*.c coordinator/*/*.c)
NODE_SRC := $(wildcard node/*.c)
CLIENT_SRC := $(wildcard client/*.c)

LIB_LIBS := -lcrypto -ljansson -lm
NET_LIBS := -luv -lcurl -lmicrohttpd -lgnutls
# V=1 shows the command lines.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '%-5s %s\n' $(1) $(2))
obj = $(patsubst %.c,$(B)/obj/%.o,$(1))

PROGRAMS := $(B)/offload-coordinator $(B)/offload-node $(B)/offload
UNIT_TESTS := $(patsubst t/unit/%.c,$(B)/t/%,$(wildcard t/unit/*.c))

all: $(PROGRAMS) ## build the programs

$(B)/offload-coordinator: $(call obj,$(COORDINATOR_SRC))
$(B)/offload-coordinator: LDLIBS += -lhiredis -lmaxminddb
$(B)/offload-node: $(call obj,$(NODE_SRC))
$(B)/offload: $(call obj,$(CLIENT_SRC))
$(PROGRAMS): $(B)/libolnet.a $(B)/liboffload.a $(B)/sources
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) \
	    $(B)/libolnet.a $(B)/liboffload.a $(LDLIBS) $(NET_LIBS) \
	    $(LIB_LIBS) -lpthread

$(B)/liboffload.a: $(call obj,$(LIB_SRC))
$(B)/libolnet.a: $(call obj,$(NET_SRC))
$(B)/%.a: $(B)/sources
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $(filter %.o,$^)

$(B)/obj/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Their text becomes part of the object.
$(B)/obj/coordinator/store/library.o: \
    $(wildcard coordinator/store/functions/*.lua)

$(B)/obj/coordinator/status/assets.o: coordinator/status/page.html \
    coordinator/status/status.js coordinator/status/status.css

# A unit test includes the .c file under test, so it links what that needs.
$(B)/t/%: t/unit/%.c $(B)/liboffload.a $(B)/libolnet.a $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) -It/unit $(ALL_CFLAGS) -MMD -MP -o $@ $< \
	    $(B)/libolnet.a $(B)/liboffload.a -lhiredis -lmaxminddb $(NET_LIBS) \
	    $(LIB_LIBS) -lpthread

# Both change only when the command line does, or a file comes or goes.
COMMAND_LINE = $(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS)
SOURCES = $(LIB_SRC) $(NET_SRC) $(COORDINATOR_SRC) $(NODE_SRC) $(CLIENT_SRC)
$(B)/flags: TEXT = $(COMMAND_LINE)
$(B)/sources: TEXT = $(SOURCES)
$(B)/flags $(B)/sources: always
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(TEXT))' | cmp -s - $@ || \
	    printf '%s\n' '$(subst ','\'',$(TEXT))' > $@

unit-tests: $(UNIT_TESTS)
	@:

unit: unit-tests ## build and run the C unit tests only
	mk/test.pl $(UNIT_TESTS)

-include mk/module.mk
include mk/test.mk
include mk/run.mk
include mk/install.mk
include mk/fuzz.mk

help: ## list the targets
	@echo 'FLAVOUR=release debug asan ubsan tsan; V=1 shows commands'
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) \
	    | sort -u | awk -F'|' '{ printf "%-13s %s\n", $$1, $$2 }'

deps: ## install the Debian packages that are missing
	mk/deps.sh build run test bench source check

loc: ## count the lines of each part
	@mk/loc.sh

clean: ## remove everything built
	rm -rf build

always:
.PHONY: all always clean deps help loc unit unit-tests
-include $(patsubst %.o,%.d,$(call obj,$(SOURCES))) $(UNIT_TESTS:=.d)
