# SPDX-License-Identifier: MIT
# Units of systemd, and what they need.  /etc/default/cloudtrace and
# /etc/cloudtraced.conf are only made where there are none, and only removed
# where nobody changed them.
systemd_units = \
	systemd/cloudtraced.service \
	systemd/cloudtraced-control.socket \
	systemd/cloudtraced-ro.socket \
	systemd/cloudtrace-relayd.service \
	systemd/cloudtrace-node.service \
	systemd/cloudtrace-session@.service
systemd_made = $(systemd_units) systemd/cloudtraced.tmpfiles

EXTRA_DIST += $(systemd_made:%=%.in) systemd/cloudtraced.sysusers systemd/cloudtrace.default
CLEANFILES += $(systemd_made) systemd/cloudtraced.conf

$(systemd_made): Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd && $(SED) -e 's|@sbindir[@]|$(sbindir)|g' \
		-e 's|@bindir[@]|$(bindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' \
		-e 's|@runstatedir[@]|$(runstatedir)|g' '$(srcdir)/$@.in' >$@.tmp && mv $@.tmp $@
systemd/cloudtraced.service: systemd/cloudtraced.service.in
systemd/cloudtraced-control.socket: systemd/cloudtraced-control.socket.in
systemd/cloudtraced-ro.socket: systemd/cloudtraced-ro.socket.in
systemd/cloudtrace-relayd.service: systemd/cloudtrace-relayd.service.in
systemd/cloudtrace-node.service: systemd/cloudtrace-node.service.in
systemd/cloudtrace-session@.service: systemd/cloudtrace-session@.service.in
systemd/cloudtraced.tmpfiles: systemd/cloudtraced.tmpfiles.in

# All options with their meaning, every one a comment.
systemd/cloudtraced.conf: cloudtraced$(EXEEXT) Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd && ./cloudtraced --print-config >$@.tmp && \
		$(SED) 's/^[^#]/#&/' $@.tmp >$@ && rm -f $@.tmp

if SYSTEMD_UNITS
systemdsystemunit_DATA = $(systemd_units)
noinst_DATA = systemd/cloudtraced.conf systemd/cloudtraced.tmpfiles

systemd_configs = systemd/cloudtraced.conf:cloudtraced.conf $(srcdir)/systemd/cloudtrace.default:default/cloudtrace
systemd_in_prefix = systemd/cloudtraced.tmpfiles:tmpfiles.d/cloudtraced.conf \
	$(srcdir)/systemd/cloudtraced.sysusers:sysusers.d/cloudtraced.conf

install-data-local: $(noinst_DATA)
	@for pair in $(systemd_in_prefix); do \
		to='$(DESTDIR)$(prefix)/lib/'$${pair#*:}; \
		$(MKDIR_P) "$${to%/*}" && $(INSTALL_DATA) "$${pair%:*}" "$$to" || exit 1; \
	done
	@for pair in $(systemd_configs); do \
		to='$(DESTDIR)$(sysconfdir)/'$${pair#*:}; \
		[ ! -e "$$to" ] || continue; \
		$(MKDIR_P) "$${to%/*}" && $(INSTALL_DATA) "$${pair%:*}" "$$to" || exit 1; \
	done

uninstall-local: $(noinst_DATA)
	@for pair in $(systemd_in_prefix); do \
		rm -f '$(DESTDIR)$(prefix)/lib/'$${pair#*:}; \
	done
	@for pair in $(systemd_configs); do \
		to='$(DESTDIR)$(sysconfdir)/'$${pair#*:}; \
		if cmp -s "$${pair%:*}" "$$to"; then rm -f "$$to"; fi; \
	done
endif
