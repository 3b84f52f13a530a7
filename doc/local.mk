# SPDX-License-Identifier: MIT
dist_man_MANS += doc/cloudtraced.8 doc/cloudtraced.conf.5
dist_man_MANS += doc/cloudtrace-replay.1
dist_man_MANS += doc/cloudtracectl.1 doc/cloudtraced-protocol.7
EXTRA_DIST += doc/install.md
