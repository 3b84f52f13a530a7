# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libproto.a
libproto_a_SOURCES = \
	proto/http.c proto/http.h \
	proto/line.c proto/line.h \
	proto/methods.c proto/methods.h \
	proto/rpc.c proto/rpc.h \
	proto/trace.c proto/trace.h

schemasdir = $(pkgdatadir)/schemas
dist_schemas_DATA = \
	proto/schemas/alert.json \
	proto/schemas/chain.json \
	proto/schemas/change.json \
	proto/schemas/compare.json \
	proto/schemas/describe.json \
	proto/schemas/drain.json \
	proto/schemas/disk.json \
	proto/schemas/error.json \
	proto/schemas/find.json \
	proto/schemas/finding.json \
	proto/schemas/flow.json \
	proto/schemas/hello.json \
	proto/schemas/migration.json \
	proto/schemas/network-bridge.json \
	proto/schemas/network-changes.json \
	proto/schemas/network-flow.json \
	proto/schemas/network-latency.json \
	proto/schemas/network-path.json \
	proto/schemas/network-place.json \
	proto/schemas/network-port.json \
	proto/schemas/network-upcalls.json \
	proto/schemas/network.json \
	proto/schemas/node.json \
	proto/schemas/node_show.json \
	proto/schemas/port.json \
	proto/schemas/rule.json \
	proto/schemas/silence.json \
	proto/schemas/service.json \
	proto/schemas/status.json \
	proto/schemas/thread.json \
	proto/schemas/top.json \
	proto/schemas/update.json \
	proto/schemas/vm.json \
	proto/schemas/volume.json \
	proto/schemas/watch.json \
	proto/schemas/why.json
