# SPDX-License-Identifier: MIT
dist_man_MANS += doc/cloudtraced.8 doc/cloudtraced.conf.5
dist_man_MANS += doc/cloudtrace-replay.1
dist_man_MANS += doc/cloudtracectl.1 doc/cloudtraced-protocol.7
dist_man_MANS += doc/cloudtrace-node.8
EXTRA_DIST += doc/install.md doc/cloudtrace-node-events.md
