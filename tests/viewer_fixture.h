/* SPDX-License-Identifier: MIT
 *
 * viewer_fixture.h -- a viewer without a network, for test_viewer.c: replies
 * are put together and fed by hand, and what it asks and tells is compared. */
#ifndef TESTS_VIEWER_FIXTURE_H
#define TESTS_VIEWER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "ctf/viewer_private.h"

struct fixture {
	struct viewer *viewer;
	struct buf log;            /* What the owner was told since last asked. */
	struct buf scratch;
	size_t at_once;            /* Bytes per call; 0: all. */
	size_t fed, cut;           /* Bytes so far; how many until 'on_cut' (0: never). */
	jmp_buf on_cut;
	bool refuse_metadata;
	int n_things;              /* Told as found and not as gone. */
	uint64_t step_over_before;
	struct error error;
};

/* The fixture of the case that runs. */
extern struct fixture *current;

/* Starts a viewer that has a connection to nobody. */
void open_viewer(struct fixture *f, const struct viewer_options *options);
/* For cmocka: one with the usual limits. */
int setup(void **state);
int teardown(void **state);
/* Gives reply bytes, in pieces of f->at_once, and lets it ask on. */
int feed(struct fixture *f, const void *bytes, size_t size);
/* Putting replies together; reply() sends one and must succeed. */
void put(struct buf *to, uint64_t value, int bytes);
void put_name(struct buf *to, const char *name, size_t size);
void reply(struct fixture *f, struct buf *bytes);
/* 'n' unsigned of 32 bits each. */
void reply_words(struct fixture *f, int n, ...);
void put_stream(struct buf *to, uint64_t id, uint64_t trace, bool metadata,
		const char *channel);
void put_index(struct buf *to, unsigned status, unsigned flags, unsigned bytes,
	       unsigned begin, unsigned end);
void reply_index(struct fixture *f, unsigned status, unsigned flags, unsigned bytes,
		 unsigned begin, unsigned end);
void reply_packet(struct fixture *f, unsigned size);
void reply_metadata(struct fixture *f, unsigned status, unsigned size);
void reply_connect(struct fixture *f, unsigned major, unsigned minor);
/* Sessions 1 to n of that name. */
void reply_list(struct fixture *f, int n, const char *name);
/* One metadata stream 10 and 'n' data streams 11... of trace 1. */
void reply_streams(struct fixture *f, int n);
/* What was asked since last looked, as "COMMAND(id) ...". */
void expect_commands(struct fixture *f, const char *expected);
/* What the owner was told since last looked. */
void expect_log(struct fixture *f, const char *expected);
void pass_time(struct fixture *f, uint64_t ms);
/* Passes time, and answers with no news what is asked by the clock. */
void pass_time_quietly(struct fixture *f, uint64_t ms);
/* Up to one attached session with 'n' streams whose indexes are asked for. */
void attach(struct fixture *f, int n);

#endif /* viewer_fixture.h */
