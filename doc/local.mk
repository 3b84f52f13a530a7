# SPDX-License-Identifier: MIT
dist_man_MANS += doc/cloudtrace-replay.1
