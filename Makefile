# Offload.  `make help` lists the targets.

FLAVOUR ?= release
CC ?= gcc
B := build/$(FLAVOUR)
VERSION := 0.1.0

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
ALL_CFLAGS = $(CSTD) $(WARN) -fPIC -fvisibility=hidden $(CFLAGS_$(FLAVOUR)) \
             $(CFLAGS)

LIB_SRC := $(wildcard lib/*.c)
NET_SRC := $(wildcard net/*.c)
COORDINATOR_SRC := $(wildcard coordinator/*.c)
NODE_SRC := $(wildcard node/*.c)
CLIENT_SRC := $(wildcard client/*.c)

LIB_LIBS := -lcrypto -ljansson -lm
NET_LIBS := -luv -lcurl -lmicrohttpd
obj = $(patsubst %.c,$(B)/obj/%.o,$(1))

PROGRAMS := $(B)/offload-coordinator $(B)/offload-node $(B)/offload
UNIT_TESTS := $(patsubst t/unit/%.c,$(B)/t/%,$(wildcard t/unit/*.c))

all: $(PROGRAMS) ## build the programs

$(B)/offload-coordinator: $(call obj,$(COORDINATOR_SRC))
$(B)/offload-coordinator: LDLIBS += -lhiredis
$(B)/offload-node: $(call obj,$(NODE_SRC))
$(B)/offload: $(call obj,$(CLIENT_SRC))
$(PROGRAMS): $(B)/libolnet.a $(B)/liboffload.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(B)/libolnet.a \
	    $(B)/liboffload.a $(LDLIBS) $(NET_LIBS) $(LIB_LIBS) -lpthread

$(B)/liboffload.a: $(call obj,$(LIB_SRC))
$(B)/libolnet.a: $(call obj,$(NET_SRC))
$(B)/%.a:
	rm -f $@ && ar rcs $@ $^

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# A unit test includes the .c file under test, so it links what that needs.
$(B)/t/%: t/unit/%.c $(B)/liboffload.a $(B)/libolnet.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -It/unit $(ALL_CFLAGS) -MMD -MP -o $@ $< \
	    $(B)/libolnet.a $(B)/liboffload.a -lhiredis $(NET_LIBS) $(LIB_LIBS) \
	    -lpthread

unit: $(UNIT_TESTS)
	prove -e '' $(UNIT_TESTS)

clean: ## remove everything built
	rm -rf build

.PHONY: all unit clean
-include $(shell find build -name '*.d' 2>/dev/null)
