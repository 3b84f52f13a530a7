# SPDX-License-Identifier: MIT
TESTS += tests/static/arrows.sh tests/static/style.sh
# The longest tests first, so that none of them runs alone at the end.
include tests/store.mk
include tests/reader.mk
include tests/daemon.mk
include tests/ctf.mk
include tests/viewer.mk
include tests/replay.mk
include tests/analyzers.mk
include tests/serve.mk
include tests/session.mk
include tests/handler.mk
include tests/fuzz.mk
include tests/node.mk
include tests/pack.mk
include tests/ovsmod.mk
include tests/reach.mk
