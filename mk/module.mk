# The NGINX module.  NGINX_SRC=DIR: an nginx source tree; without it, the
# sources and flags of the distribution's nginx-dev.  nginx's configure writes
# into its source tree, so that is copied first.  A sanitized module has UBSan
# only: a stock nginx cannot load one with ASan.

NGINX_SRC ?= /usr/share/nginx/src
MODULE_SO := $(B)/ngx_http_offload_module.so
MODULE_DIR := $(B)/nginx
MODULE_SRC := $(wildcard ngx_module/*.c ngx_module/*.h lib/*.c \
                include/offload/*.h)

MODULE_OPT_release := -O2
MODULE_OPT_debug := -O0 -g3
MODULE_OPT_tsan := -O1
MODULE_OPT_ubsan := -O1 -fsanitize=undefined -fno-sanitize-recover=undefined
MODULE_OPT_asan := $(MODULE_OPT_ubsan)
MODULE_LD_ubsan := -fsanitize=undefined
MODULE_LD_asan := $(MODULE_LD_ubsan)
MODULE_WARN := -Wextra -Wshadow -Wno-unused-parameter \
               -Wno-missing-field-initializers

module: $(MODULE_SO) ## build the nginx module

$(MODULE_SO): $(MODULE_DIR)/objs/Makefile $(MODULE_SRC)
	$(call say,MAKE,$@)
	$(Q)$(MAKE) -C $(MODULE_DIR) -f objs/Makefile modules \
	    $(if $(V),,> $(MODULE_DIR)/make.log)
	$(Q)cp $(MODULE_DIR)/objs/$(@F) $@.new && mv $@.new $@

# Configured anew if a file comes or goes: `config` lists them by pattern.
$(MODULE_DIR)/objs/Makefile: config mk/module.mk $(MODULE_DIR)/files
	@test -x $(NGINX_SRC)/configure -o -x $(NGINX_SRC)/auto/configure || \
	    { echo "$(NGINX_SRC): no nginx sources; apt-get install nginx-dev," \
	        "or say NGINX_SRC=DIR"; exit 1; }
	$(Q)rm -rf $(MODULE_DIR)/src $(MODULE_DIR)/auto $(MODULE_DIR)/objs
	$(Q)cp -r $(NGINX_SRC)/. $(MODULE_DIR)/
	$(Q)bash mk/configure-module.sh $(MODULE_DIR) $(CURDIR) '$(CC)' \
	    '$(MODULE_OPT_$(FLAVOUR)) $(MODULE_WARN)' '$(MODULE_LD_$(FLAVOUR))'

$(MODULE_DIR)/files: always
	@mkdir -p $(@D)
	@echo '$(NGINX_SRC) $(MODULE_SRC)' | cmp -s - $@ || \
	    echo '$(NGINX_SRC) $(MODULE_SRC)' > $@

.PHONY: module
