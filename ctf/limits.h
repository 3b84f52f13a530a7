/* SPDX-License-Identifier: MIT
 *
 * limits.h -- what metadata and packets may make us do.  All of it comes from
 * outside, so everything that grows has its bound here. */
#ifndef CTF_LIMITS_H
#define CTF_LIMITS_H

enum {
	CTF_LIMIT_METADATA_BYTES = 64 << 20,  /* Text of one trace. */
	CTF_LIMIT_ARENA_BYTES = 256 << 20,    /* Types, names and classes of one trace. */
	CTF_LIMIT_DEPTH = 32,                 /* Nested types, and array dimensions. */
	CTF_LIMIT_NODES = 65536,              /* Fields of one scope (header, payload...). */
	CTF_LIMIT_STREAM_CLASSES = 256,
	CTF_LIMIT_EVENT_CLASSES = 65536,
	CTF_LIMIT_CLOCKS = 64,
	CTF_LIMIT_ENV = 4096,
	CTF_LIMIT_ALIGN_BITS = 4096,
	CTF_LIMIT_EMPTY_ELEMENTS = 65536,     /* Array elements of no size, per scope. */
	CTF_LIMIT_DIRECT_IDS = 65536,         /* Event ids below are found by index. */
	CTF_LIMIT_COMPARISONS = 1 << 28,      /* Of names, while classes are made. */
};

/* Values that lengths and variant tags are taken from: some for the packet
 * header, some for each stream class, the rest for each event class. */
enum {
	CTF_STORE_TRACE = 0,
	CTF_STORE_STREAM = 16,
	CTF_STORE_EVENT = 64,
	CTF_STORE_END = 256,
};

#endif /* limits.h */
