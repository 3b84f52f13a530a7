# SPDX-License-Identifier: MIT
if HAVE_UST
check_PROGRAMS += tests/fake-qemu
tests_fake_qemu_SOURCES = tests/fake_qemu.c
endif
