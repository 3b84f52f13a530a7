# SPDX-License-Identifier: MIT
if HAVE_CMOCKA
check_PROGRAMS += tests/test_replay_packets
TESTS += tests/test_replay_packets
tests_test_replay_packets_SOURCES = tests/test_replay_packets.c \
	replay/metadata.c replay/metadata.h replay/packets.c replay/packets.h replay/relayd.h \
	replay/wire.h
tests_test_replay_packets_LDADD = libctf.a libct.a $(CMOCKA_LIBS) -lm
endif
TESTS += tests/test_replay_relayd.py tests/test_replay_again.py
EXTRA_DIST += tests/test_replay_relayd.py tests/test_replay_again.py
