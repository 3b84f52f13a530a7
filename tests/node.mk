# SPDX-License-Identifier: MIT
EXTRA_DIST += tests/test_node.py tests/test_node_live.py tests/test_node_docs.sh
if HAVE_UST
check_PROGRAMS += tests/fake-qemu
tests_fake_qemu_SOURCES = tests/fake_qemu.c
TESTS += tests/test_node.py tests/test_node_live.py tests/test_node_docs.sh
if HAVE_CMOCKA
check_PROGRAMS += tests/test_node
TESTS += tests/test_node
tests_test_node_SOURCES = tests/test_node.c
tests_test_node_LDADD = $(NODE_LIBS) $(CMOCKA_LIBS)
endif
endif
