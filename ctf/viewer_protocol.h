/* SPDX-License-Identifier: MIT
 *
 * viewer_protocol.h -- the LTTng live viewer protocol on the wire.
 *
 * Numbers, sizes and the reading and writing of fixed parts; nothing here has
 * state.  Used by viewer_reply.c (what comes) and viewer_session.c (what is
 * asked).  All integers are big endian, all structs packed.
 *
 * Source: lttng-tools 2.13 src/bin/lttng-relayd/lttng-viewer-abi.h. */
#ifndef CTF_VIEWER_PROTOCOL_H
#define CTF_VIEWER_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#include "ctf/viewer.h"

enum {
	VIEWER_MAJOR = 2,
	VIEWER_MINOR_MIN = 4,
	VIEWER_MINOR_MAX = 14,    /* From 15 on the session struct is another. */
	VIEWER_MINOR_DETACH = 8,
};

enum viewer_command {
	VIEWER_CONNECT = 1,
	VIEWER_LIST_SESSIONS,
	VIEWER_ATTACH_SESSION,
	VIEWER_GET_NEXT_INDEX,
	VIEWER_GET_PACKET,
	VIEWER_GET_METADATA,
	VIEWER_GET_NEW_STREAMS,
	VIEWER_CREATE_SESSION,
	VIEWER_DETACH_SESSION,
	VIEWER_N_COMMANDS
};

enum { VIEWER_ATTACH_OK = 1, VIEWER_ATTACH_ALREADY };
enum {
	VIEWER_INDEX_OK = 1, VIEWER_INDEX_RETRY, VIEWER_INDEX_HUP, VIEWER_INDEX_ERR,
	VIEWER_INDEX_INACTIVE, VIEWER_INDEX_EOF
};
enum { VIEWER_PACKET_OK = 1, VIEWER_PACKET_RETRY, VIEWER_PACKET_ERR, VIEWER_PACKET_EOF };
enum { VIEWER_METADATA_OK = 1, VIEWER_METADATA_NO_NEW, VIEWER_METADATA_ERR };
enum {
	VIEWER_STREAMS_OK = 1, VIEWER_STREAMS_NO_NEW, VIEWER_STREAMS_ERR, VIEWER_STREAMS_HUP
};
enum { VIEWER_CREATE_OK = 1 };

enum { VIEWER_FLAG_NEW_METADATA = 1, VIEWER_FLAG_NEW_STREAM = 2 };   /* Bits. */

/* Sizes of fixed parts, bytes. */
enum {
	VIEWER_HEADER_SIZE = 16,
	VIEWER_CONNECT_SIZE = 20,
	VIEWER_SESSION_SIZE = 339,
	VIEWER_STREAM_SIZE = 4371,
	VIEWER_INDEX_SIZE = 64,
	VIEWER_PART_MAX = VIEWER_STREAM_SIZE,
	VIEWER_REQUEST_MAX = VIEWER_HEADER_SIZE + 20,
};

/* Strings are borrowed from the bytes and need not end in NUL. */
struct viewer_wire_session {
	uint64_t id;
	uint32_t live_timer_us, clients, streams;
	const char *hostname, *name;
	size_t hostname_length, name_length;
};

struct viewer_wire_stream {
	uint64_t id, trace_id;
	uint32_t is_metadata;
	const char *path, *channel;
	size_t path_length, channel_length;
};

static inline uint32_t
viewer_get_u32(const uint8_t *bytes)
{
	return (uint32_t) bytes[0] << 24 | (uint32_t) bytes[1] << 16 | (uint32_t) bytes[2] << 8 |
	       bytes[3];
}

static inline uint64_t
viewer_get_u64(const uint8_t *bytes)
{
	return (uint64_t) viewer_get_u32(bytes) << 32 | viewer_get_u32(bytes + 4);
}

/* 'bytes' hold VIEWER_SESSION_SIZE, VIEWER_STREAM_SIZE, VIEWER_INDEX_SIZE. */
void viewer_read_session(const uint8_t *bytes, struct viewer_wire_session *ret);
void viewer_read_stream(const uint8_t *bytes, struct viewer_wire_stream *ret);
void viewer_read_index(const uint8_t *bytes, struct viewer_index *ret, uint32_t *ret_status,
		       uint32_t *ret_flags);

/* Writes a whole request and returns its size.  'id' is that of the session or
 * stream; 'offset' and 'length' are of GET_PACKET only.  'bytes' has room for
 * VIEWER_REQUEST_MAX. */
size_t viewer_write_request(uint8_t *bytes, enum viewer_command command, uint64_t id,
			    uint64_t offset, uint32_t length);

/* For messages. */
const char *viewer_command_name(enum viewer_command command);
/* What an ATTACH_SESSION status other than OK means. */
const char *viewer_attach_text(uint32_t status);

#endif /* viewer_protocol.h */
