# SPDX-License-Identifier: MIT
include tests/ctf.mk
include tests/reader.mk
include tests/viewer.mk
include tests/replay.mk
include tests/analyzers.mk
include tests/store.mk
include tests/serve.mk
include tests/daemon.mk
