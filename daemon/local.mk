# SPDX-License-Identifier: MIT

# serve: JSON-RPC on sockets.
noinst_LIBRARIES += libdaemon_serve.a
libdaemon_serve_a_SOURCES = \
	daemon/metrics.c daemon/metrics.h \
	daemon/serve_alerts.c \
	daemon/serve.c daemon/serve.h daemon/serve_internal.h \
	daemon/serve_client.c \
	daemon/network.c daemon/network.h \
	daemon/network_changes.c \
	daemon/network_path.c \
	daemon/network_views.c \
	daemon/network_vswitchd.c \
	daemon/network_where.c \
	daemon/serve_http.c \
	daemon/serve_methods.c \
	daemon/serve_network.c \
	daemon/serve_status.c \
	daemon/serve_tcp.c \
	daemon/serve_watch.c \
	daemon/tls.c daemon/tls.h
noinst_LIBRARIES += libdaemon_store.a
libdaemon_store_a_SOURCES = \
	daemon/alert_condition.c daemon/alert_condition.h \
	daemon/alert_rules.c daemon/alert_rules.h daemon/alert_rules_private.h \
	daemon/alert_rules_rpc.c daemon/alert_rules_source.c \
	daemon/alert_windows.c daemon/alert_windows.h \
	daemon/alerts.c daemon/alerts.h \
	daemon/clock_apply.c daemon/clock_apply.h \
	daemon/clock_hull.c daemon/clock_hull.h \
	daemon/clock_relation.c daemon/clock_relation.h \
	daemon/flow.c daemon/flow.h daemon/flow_private.h \
	daemon/flow_behalf.c \
	daemon/flow_datapath.c daemon/flow_steps.c \
	daemon/flow_evidence.c \
	daemon/flow_facts.c \
	daemon/flow_findings.c \
	daemon/flow_gather.c \
	daemon/flow_kinds.c \
	daemon/flow_outcome.c \
	daemon/flow_record.c \
	daemon/flow_spans.c daemon/flow_budget.c daemon/flow_budget.h daemon/flow_clocks.c \
	daemon/flow_path.c daemon/flow_path.h \
	daemon/flow_unknown.c \
	daemon/hub.c daemon/hub.h \
	daemon/join.h \
	daemon/join_migration.c \
	daemon/join_network.c \
	daemon/join_pair.c \
	daemon/join_record.c \
	daemon/store.c daemon/store.h daemon/store_internal.h \
	daemon/store_alerts.c \
	daemon/store_answers.c \
	daemon/store_changes.c \
	daemon/store_clock.c \
	daemon/store_dump.c \
	daemon/store_facts.c \
	daemon/store_json.c \
	daemon/store_find.c \
	daemon/store_network.c \
	daemon/store_recover.c \
	daemon/store_ref.c \
	daemon/store_request.c \
	daemon/store_peers.c \
	daemon/store_settled.c \
	daemon/parts.c daemon/parts.h daemon/peers.c \
	daemon/compare.c daemon/compare_details.c daemon/compare_private.h \
	daemon/flow_parts.c \
	daemon/drain.c daemon/drain.h daemon/drain_answer.c daemon/drain_eta.c \
	daemon/settle.c daemon/settle.h \
	daemon/expand.c daemon/expand.h \
	daemon/join_steps.c daemon/join_steps.h daemon/members.h \
	daemon/unknown.c daemon/unknown.h \
	daemon/store_service.c \
	daemon/store_windows.c \
	daemon/kernel_budget.c daemon/kernel_budget.h daemon/migration_budget.c \
	daemon/kernel_answers.h daemon/kernel_cpu_answers.c daemon/kernel_cpu_answers.h \
	daemon/kernel_io_answers.c daemon/kernel_migration_answers.c \
	daemon/kernel_node_answers.c \
	daemon/store_write.c \
	daemon/thing.c daemon/thing.h daemon/thing_private.h daemon/thing_told.c daemon/thing_vm.c \
	daemon/thing_part.c daemon/volume.c daemon/volume.h \
	daemon/touch.c daemon/touch.h \
	daemon/why.c daemon/why.h daemon/why_private.h \
	daemon/why_answer.c \
	daemon/why_flow.c \
	daemon/why_kernel.c \
	daemon/why_qemu.c

# The program.
sbin_PROGRAMS += cloudtraced
cloudtraced_SOURCES = \
	daemon/archive.c daemon/archive.h \
	daemon/batch.c daemon/batch.h \
	daemon/config.c daemon/config.h \
	daemon/config_keys.c daemon/config_keys.h \
	daemon/config_rules.c \
	daemon/config_sections.c daemon/config_sections.h \
	daemon/deliver.c daemon/deliver.h daemon/deliver_private.h \
	daemon/deliver_exec.c \
	daemon/deliver_payload.c \
	daemon/deliver_routes.c \
	daemon/epochs.c daemon/epochs.h \
	daemon/export_otlp.c daemon/export_otlp.h \
	daemon/lane.c daemon/lane.h daemon/lane_private.h \
	daemon/lane_host.c \
	daemon/lane_live.c \
	daemon/main.c \
	daemon/test_alerts.c daemon/test_alerts.h \
	daemon/notify.c daemon/notify.h \
	daemon/writer.c daemon/writer.h
cloudtraced_LDFLAGS = -pthread $(LTO_LDFLAGS)
cloudtraced_LDADD = libdaemon_serve.a libdaemon_store.a libanalyzers.a libproto.a libctf.a libct.a \
	$(SQLITE_LIBS) $(JANSSON_LIBS) $(EVENT_LIBS) $(BT2_LIBS) $(INIH_LIBS) $(XXHASH_LIBS) $(SYSTEMD_LIBS) $(OPENSSL_LIBS) $(CURL_LIBS) -lm
