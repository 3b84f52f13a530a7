/* SPDX-License-Identifier: MIT */
#include "ctf/viewer_protocol.h"

#include <string.h>

#include "lib/util.h"

enum { SEEK_BEGINNING = 1, CONNECTION_COMMAND = 1 };

/* What follows the header of a request. */
enum payload { PAYLOAD_NONE, PAYLOAD_VERSION, PAYLOAD_ID, PAYLOAD_ATTACH, PAYLOAD_PACKET };

static const struct {
	const char *name;
	enum payload payload;
} commands[VIEWER_N_COMMANDS] = {
	[0] = { "no command", PAYLOAD_NONE },
	[VIEWER_CONNECT] = { "CONNECT", PAYLOAD_VERSION },
	[VIEWER_LIST_SESSIONS] = { "LIST_SESSIONS", PAYLOAD_NONE },
	[VIEWER_ATTACH_SESSION] = { "ATTACH_SESSION", PAYLOAD_ATTACH },
	[VIEWER_GET_NEXT_INDEX] = { "GET_NEXT_INDEX", PAYLOAD_ID },
	[VIEWER_GET_PACKET] = { "GET_PACKET", PAYLOAD_PACKET },
	[VIEWER_GET_METADATA] = { "GET_METADATA", PAYLOAD_ID },
	[VIEWER_GET_NEW_STREAMS] = { "GET_NEW_STREAMS", PAYLOAD_ID },
	[VIEWER_CREATE_SESSION] = { "CREATE_SESSION", PAYLOAD_NONE },
	[VIEWER_DETACH_SESSION] = { "DETACH_SESSION", PAYLOAD_ID },
};

static const char *const attach_texts[] = {
	[VIEWER_ATTACH_OK] = "attached",
	[VIEWER_ATTACH_ALREADY] = "another viewer is attached to it",
	[3] = "relayd does not know it any more",
	[4] = "it is no live session (created without --live)",
	[5] = "relayd refuses to start at the beginning",
	[6] = "relayd lost our viewer session",
};

const char *
viewer_command_name(enum viewer_command command)
{
	return commands[command].name;
}

const char *
viewer_attach_text(uint32_t status)
{
	if (status >= ARRAY_SIZE(attach_texts) || !attach_texts[status])
		return "relayd refuses it with a status that this protocol version does not have";
	return attach_texts[status];
}

static uint8_t *
put_u32(uint8_t *to, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t) (value >> (24 - 8 * i));
	return to + 4;
}

static uint8_t *
put_u64(uint8_t *to, uint64_t value)
{
	return put_u32(put_u32(to, (uint32_t) (value >> 32)), (uint32_t) value);
}

size_t
viewer_write_request(uint8_t *bytes, enum viewer_command command, uint64_t id, uint64_t offset,
		     uint32_t length)
{
	uint8_t *to = bytes + VIEWER_HEADER_SIZE;

	switch (commands[command].payload) {
	case PAYLOAD_NONE:
		break;
	case PAYLOAD_VERSION:
		to = put_u64(to, UINT64_MAX);
		to = put_u32(to, VIEWER_MAJOR);
		to = put_u32(to, VIEWER_MINOR_MAX);
		to = put_u32(to, CONNECTION_COMMAND);
		break;
	case PAYLOAD_ID:
		to = put_u64(to, id);
		break;
	case PAYLOAD_ATTACH:
		to = put_u64(to, id);
		to = put_u64(to, 0);
		to = put_u32(to, SEEK_BEGINNING);
		break;
	case PAYLOAD_PACKET:
		to = put_u64(to, id);
		to = put_u64(to, offset);
		to = put_u32(to, length);
		break;
	}
	put_u64(bytes, (uint64_t) (to - bytes - VIEWER_HEADER_SIZE));
	put_u32(bytes + 8, (uint32_t) command);
	put_u32(bytes + 12, 0);
	return (size_t) (to - bytes);
}

void
viewer_read_session(const uint8_t *bytes, struct viewer_wire_session *ret)
{
	ret->id = viewer_get_u64(bytes);
	ret->live_timer_us = viewer_get_u32(bytes + 8);
	ret->clients = viewer_get_u32(bytes + 12);
	ret->streams = viewer_get_u32(bytes + 16);
	ret->hostname = (const char *) bytes + 20;
	ret->hostname_length = strnlen(ret->hostname, 64);
	ret->name = (const char *) bytes + 84;
	ret->name_length = strnlen(ret->name, 255);
}

void
viewer_read_stream(const uint8_t *bytes, struct viewer_wire_stream *ret)
{
	ret->id = viewer_get_u64(bytes);
	ret->trace_id = viewer_get_u64(bytes + 8);
	ret->is_metadata = viewer_get_u32(bytes + 16);
	ret->path = (const char *) bytes + 20;
	ret->path_length = strnlen(ret->path, 4096);
	ret->channel = (const char *) bytes + 4116;
	ret->channel_length = strnlen(ret->channel, 255);
}

void
viewer_read_index(const uint8_t *bytes, struct viewer_index *ret, uint32_t *ret_status,
		  uint32_t *ret_flags)
{
	ret->offset = viewer_get_u64(bytes);
	ret->packet_bits = viewer_get_u64(bytes + 8);
	ret->content_bits = viewer_get_u64(bytes + 16);
	ret->begin = viewer_get_u64(bytes + 24);
	ret->end = viewer_get_u64(bytes + 32);
	ret->discarded = viewer_get_u64(bytes + 40);
	ret->stream_class_id = viewer_get_u64(bytes + 48);
	*ret_status = viewer_get_u32(bytes + 56);
	*ret_flags = viewer_get_u32(bytes + 60);
}
