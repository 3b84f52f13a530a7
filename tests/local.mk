# SPDX-License-Identifier: MIT
TESTS += tests/static/arrows.sh tests/static/style.sh
include tests/ctf.mk
include tests/reader.mk
include tests/viewer.mk
include tests/replay.mk
include tests/analyzers.mk
include tests/store.mk
include tests/serve.mk
include tests/daemon.mk
include tests/session.mk
include tests/handler.mk
include tests/fuzz.mk
include tests/node.mk
include tests/pack.mk
include tests/ovsmod.mk
include tests/reach.mk
