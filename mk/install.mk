# Installation: programs, manual pages, systemd units, the module.

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/offload
UNITDIR ?= $(PREFIX)/lib/systemd/system
NGINX_MODULES ?= /usr/lib/nginx/modules
INSTALL ?= install

install: all module ## install to DESTDIR, PREFIX=/usr/local
	$(INSTALL) -d $(addprefix $(DESTDIR),$(BINDIR) $(MANDIR)/man1 \
	    $(MANDIR)/man8 $(DOCDIR) $(UNITDIR) $(NGINX_MODULES))
	$(INSTALL) $(PROGRAMS) $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 644 doc/man/*.1 $(DESTDIR)$(MANDIR)/man1
	$(INSTALL) -m 644 doc/man/*.8 $(DESTDIR)$(MANDIR)/man8
	$(INSTALL) -m 644 README.md CHANGES LICENSE doc/*.md \
	    $(DESTDIR)$(DOCDIR)
	$(INSTALL) -m 644 $(B)/ngx_http_offload_module.so \
	    $(DESTDIR)$(NGINX_MODULES)
	for unit in packaging/*.service; do \
	    sed 's|@BINDIR@|$(BINDIR)|' $$unit \
	        > $(DESTDIR)$(UNITDIR)/$${unit##*/} || exit; \
	done

.PHONY: install
