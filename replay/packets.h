/* SPDX-License-Identifier: MIT
 *
 * packets.h -- the packets of a stream file, as a consumer daemon would have
 * sent them live.
 *
 * Recorded packets may span the whole trace, as nobody hurried the tracer to
 * hand them over.  A live timer would have closed them each period: here they
 * are cut at event borders to what each period would have brought.  Event
 * bytes stay as they are; header and context are renewed. */
#ifndef REPLAY_PACKETS_H
#define REPLAY_PACKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "ctf/trace.h"
#include "lib/buf.h"
#include "lib/error.h"
#include "replay/relayd.h"

/* A stream file; its cursors must be freed before it, and it before its trace. */
struct stream_file;

/* Maps the file and looks at each packet's header.  'alignment' is the
 * largest one of the trace's types, in bits. */
int stream_file_open(const char *path, struct ctf_trace *trace, unsigned alignment,
		     struct stream_file **ret, struct error *error);
/* Accepts NULL. */
void stream_file_close(struct stream_file *file);
/* What follows the last good packet and cannot be sent, or NULL. */
const struct error *stream_file_problem(const struct stream_file *file);
uint64_t stream_file_bytes(const struct stream_file *file);
/* Clock value of the first event; false if there is none. */
bool stream_file_first_event(struct stream_file *file, uint64_t *ret_raw_ns);
/* End of the last packet; 0 if there is none. */
uint64_t stream_file_end(const struct stream_file *file);

/* A cursor on the packets to send. */
struct packets;

/* Cuts packets where periods of 'period_ns' begin, counted from 1970 by a clock
 * that is 'offset_ns' behind; 'period_ns' 0 keeps packets as recorded. */
struct packets *packets_new(struct stream_file *file, uint64_t period_ns, int64_t offset_ns);
/* Accepts NULL. */
void packets_free(struct packets *packets);
/* The next packet, or NULL at the end.  Its times: no event lies before
 * 'begin', and it would have been sent at 'end'. */
const struct relayd_index *packets_head(struct packets *packets);
/* Adds its bytes to 'out', without the padding behind the content. */
void packets_write(struct packets *packets, struct buf *out);
void packets_advance(struct packets *packets);
/* Bytes of the file that are behind the cursor, for progress. */
uint64_t packets_done_bytes(const struct packets *packets);
/* Recorded packets that had to stay as they were, and why the first one had to. */
uint64_t packets_kept(const struct packets *packets, const struct error **ret_why);

#endif /* packets.h */
