# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libanalyzers.a
libanalyzers_a_SOURCES = \
	analyzers/analyzer.h analyzers/analyzers.c \
	analyzers/engine.c analyzers/engine.h analyzers/engine_private.h \
	analyzers/engine_compile.c analyzers/engine_heap.c analyzers/engine_native.c \
	analyzers/engine_twice.c \
	analyzers/engine_save.c analyzers/engine_tables.c \
	analyzers/windows.c analyzers/windows.h \
	analyzers/facts.c analyzers/facts.h \
	analyzers/kernel_cpu.c analyzers/kernel_cpu.h analyzers/kernel_threads.c \
	analyzers/kernel_cpu_window.c analyzers/kernel_cpu_names.c \
	analyzers/kernel_cpu_sum.c analyzers/kernel_cpu_sum.h \
	analyzers/kernel_cpu_read.c analyzers/kernel_cpu_read.h \
	analyzers/kernel_cpu_split.c analyzers/kernel_cpu_split.h \
	analyzers/kernel_block.c analyzers/kernel_block_sum.c analyzers/kernel_block_sum.h \
	analyzers/kernel_net.c analyzers/kernel_net_sum.c analyzers/kernel_net_sum.h \
	analyzers/kernel_sync.c analyzers/kernel_sync.h \
	analyzers/pack.h \
	analyzers/forecast.c analyzers/forecast.h \
	analyzers/node.c analyzers/node.h analyzers/node_host.c \
	analyzers/ovs.c analyzers/ovs.h analyzers/ovs_packets.c analyzers/ovs_upcalls.c \
	analyzers/ovs_kprobes.c analyzers/ovs_addresses.c analyzers/ovs_control.c \
	analyzers/ovs_window.c analyzers/ovs_window.h analyzers/ovs_json.c \
	analyzers/qemu.c analyzers/qemu.h analyzers/qemu_qmp.c \
	analyzers/qemu_rounds.c analyzers/qemu_stages.c analyzers/qemu_steps.c analyzers/qemu_tell.c \
	analyzers/json_text.c analyzers/json_text.h \
	analyzers/oslo_record.c analyzers/oslo_record.h \
	analyzers/openstack.h analyzers/log_decoder.c analyzers/log_match.c \
	analyzers/guest_xml.c analyzers/notification.c analyzers/common_patterns.c analyzers/nova_patterns.c \
	analyzers/quiet_patterns.c analyzers/neutron_patterns.c analyzers/cinder_patterns.c \
	analyzers/os_api.c analyzers/os_marks.c analyzers/os_notes.c \
	analyzers/os_operations.c analyzers/os_rpc.c analyzers/os_step.c \
	analyzers/os_service.c analyzers/os_things.c analyzers/os_vm.c
EXTRA_DIST += doc/analyzers/kernel_cpu.md doc/analyzers/kernel_block.md doc/analyzers/kernel_net.md doc/analyzers/clocks.md
EXTRA_DIST += doc/analyzers/qemu.md doc/analyzers/flows.md doc/analyzers/node.md doc/analyzers/forecast.md \
	doc/analyzers/drain.md doc/analyzers/findings.md \
	doc/analyzers/logs.md doc/analyzers/api.md doc/analyzers/rpc.md doc/analyzers/nova.md \
	doc/analyzers/neutron.md doc/analyzers/cinder.md doc/analyzers/ovs.md
