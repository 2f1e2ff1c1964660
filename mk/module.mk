# The NGINX module, and an nginx to test it with if sources are given.
#
# Without NGINX_SRC: the headers and flags of the distribution's nginx-dev, for
# its nginx.  With NGINX_SRC=DIR, a source tree or a tree that nginx was built
# in: that nginx is built too (one that is there is taken as it is), and both
# lie in a folder of their own.  nginx's configure writes into its source tree,
# so that is copied first.
#
# A stock nginx can load a module with UBSan, but none with ASan; one that is
# built here has both.

comma := ,
NGINX_DEV := /usr/share/nginx/src
NGINX_SRC ?= $(NGINX_DEV)
NGINX_OWN := $(filter-out $(NGINX_DEV),$(patsubst %/,%,$(NGINX_SRC)))
MODULE_OUT := $(B)$(if $(NGINX_OWN),/with/$(notdir $(NGINX_OWN)))
MODULE_SO := $(MODULE_OUT)/ngx_http_offload_module.so
MODULE_DIR := $(MODULE_OUT)/nginx
MODULE_SRC := $(wildcard ngx_module/*.c ngx_module/*.h lib/*.c \
                include/offload/*.h)
NGINX_BIN := $(if $(NGINX_OWN),$(MODULE_OUT)/sbin/nginx)
NGINX_FILES := $(if $(NGINX_OWN),$(wildcard $(NGINX_OWN)/src/*/*.[ch] \
    $(NGINX_OWN)/src/*/*/*.[ch] $(NGINX_OWN)/src/*/*/*/*.[ch]))

MODULE_UBSAN := -fsanitize=undefined -fno-sanitize-recover=undefined
MODULE_OPT_release := -O2
MODULE_OPT_debug := -O0 -g3
MODULE_OPT_tsan := -O1
MODULE_OPT_ubsan := -O1 $(MODULE_UBSAN)
MODULE_OPT_asan := -O1 $(MODULE_UBSAN) \
                   $(if $(NGINX_OWN),-fsanitize=address -fno-omit-frame-pointer)
MODULE_WARN := -Wextra -Wshadow -Wno-unused-parameter \
               -Wno-missing-field-initializers

# nginx itself.  What UBSan has against it can be told apart from what it has
# against the module, and left out by name: mk/nginx.ubsan.  LeakSanitizer has to
# see the module's variables in the end, so it stays loaded.
NGINX_OPT := -O2
NGINX_OPT_asan := $(if $(NGINX_OWN),-O1 -DNGX_DEBUG_PALLOC=1 \
    -fno-omit-frame-pointer -fsanitize=address$(comma)undefined)
NGINX_LD_ubsan := -fsanitize=undefined
NGINX_LD_asan := -fsanitize=$(if $(NGINX_OWN),address$(comma))undefined \
                 -Wl,-z,nodelete

module: $(MODULE_SO) $(NGINX_BIN) ## build the nginx module; NGINX_SRC=DIR

$(MODULE_SO): $(MODULE_DIR)/objs/Makefile $(MODULE_SRC)
	$(call say,MAKE,$@)
	$(Q)$(MAKE) -C $(MODULE_DIR) -f objs/Makefile modules \
	    CFLAGS="$$(sed -n 's/^CFLAGS = *//p' $(MODULE_DIR)/objs/Makefile) \
	        $(MODULE_OPT_$(FLAVOUR)) $(MODULE_WARN)" \
	    $(if $(V),,> $(MODULE_DIR)/make.log)
	$(Q)cp $(MODULE_DIR)/objs/$(@F) $@.new && mv $@.new $@

ifneq ($(NGINX_OWN),)
$(NGINX_BIN): $(MODULE_DIR)/objs/Makefile
	@mkdir -p $(@D)
	$(call say,MAKE,$@)
	$(Q)if [ -x $(NGINX_OWN)/objs/nginx ]; then \
	    cp $(NGINX_OWN)/objs/nginx $@.new; \
	else \
	    $(MAKE) -C $(MODULE_DIR) -f objs/Makefile binary \
	        $(if $(V),,> $(MODULE_DIR)/make-nginx.log) && \
	    cp $(MODULE_DIR)/objs/nginx $@.new; \
	fi && mv $@.new $@
endif

# Configured anew if a file comes or goes: `config` lists them by pattern.
$(MODULE_DIR)/objs/Makefile: config mk/module.mk mk/configure-module.sh \
    $(MODULE_DIR)/files $(NGINX_FILES)
	@test -x $(NGINX_SRC)/configure -o -x $(NGINX_SRC)/auto/configure || \
	    { echo "$(NGINX_SRC): no nginx sources; apt-get install nginx-dev," \
	        "or say NGINX_SRC=DIR"; exit 1; }
	$(Q)rm -rf $(MODULE_DIR)/src $(MODULE_DIR)/auto $(MODULE_DIR)/objs
	$(Q)cp -r $(NGINX_SRC)/. $(MODULE_DIR)/
	$(Q)bash mk/configure-module.sh $(MODULE_DIR) $(CURDIR) '$(CC)' \
	    '$(or $(NGINX_OPT_$(FLAVOUR)),$(NGINX_OPT))' \
	    '$(NGINX_LD_$(FLAVOUR))'

$(MODULE_DIR)/files: always
	@mkdir -p $(@D)
	@echo '$(NGINX_SRC) $(MODULE_SRC)' | cmp -s - $@ || \
	    echo '$(NGINX_SRC) $(MODULE_SRC)' > $@

.PHONY: module
