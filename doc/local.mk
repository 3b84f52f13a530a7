# SPDX-License-Identifier: MIT
dist_man_MANS += doc/cloudtraced.8 doc/cloudtraced.conf.5
dist_man_MANS += doc/cloudtrace-replay.1
