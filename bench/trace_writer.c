/* SPDX-License-Identifier: MIT */
#include "bench/trace_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/buf.h"
#include "lib/util.h"

enum {
	HEADER_SIZE = 4 + 16 + 4 + 8,                    /* struct packet.header */
	CONTEXT_SIZE = 6 * 8 + 4,                        /* struct packet_context */
	PROCNAME_SIZE = 17, COMM_SIZE = 16,
	MAX_EVENT_SIZE = 1024,
	METADATA_PACKET = 4096, METADATA_HEADER = 37,
};

struct stream {
	FILE *file;
	uint8_t *packet;             /* Little endian, as this machine is taken to be. */
	size_t used;                 /* 0: no packet is open. */
	uint64_t begin, last, seq;
};

struct writer {
	struct writer_options options;
	const struct writer_class *classes;
	unsigned n_classes;
	uint8_t uuid[16];
	struct stream *streams;
};

static void
die(const char *what, const char *path)
{
	fprintf(stderr, "%s %s: %s\n", what, path, strerror(errno));
	exit(1);
}

static void
make_folders(const char *path)
{
	char *copy = xstrdup(path);

	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			die("mkdir", copy);
		*slash = '/';
	}
	if (mkdir(copy, 0755) < 0 && errno != EEXIST)
		die("mkdir", copy);
	free(copy);
}

static FILE *
create(const char *folder, const char *name)
{
	char *path = xasprintf("%s/%s", folder, name);
	FILE *file = fopen(path, "wb");

	if (!file)
		die("create", path);
	free(path);
	return file;
}

static void
write_all(FILE *file, const void *bytes, size_t size)
{
	if (fwrite(bytes, 1, size, file) != size)
		die("write", "trace");
}

/* -- Metadata ------------------------------------------------------------ */

static const char types_text[] =
	"/* CTF 1.8 */\n\n"
	"typealias integer { size = 8; align = 8; signed = false; } := uint8_t;\n"
	"typealias integer { size = 16; align = 8; signed = false; } := uint16_t;\n"
	"typealias integer { size = 32; align = 8; signed = false; } := uint32_t;\n"
	"typealias integer { size = 64; align = 8; signed = false; } := uint64_t;\n"
	"typealias integer { size = 64; align = 8; signed = false; } := unsigned long;\n"
	"typealias integer { size = 5; align = 1; signed = false; } := uint5_t;\n"
	"typealias integer { size = 27; align = 1; signed = false; } := uint27_t;\n\n";

static const char clock_types_text[] =
	"typealias integer {\n\tsize = 27; align = 1; signed = false;\n"
	"\tmap = clock.monotonic.value;\n} := uint27_clock_monotonic_t;\n\n"
	"typealias integer {\n\tsize = 32; align = 8; signed = false;\n"
	"\tmap = clock.monotonic.value;\n} := uint32_clock_monotonic_t;\n\n"
	"typealias integer {\n\tsize = 64; align = 8; signed = false;\n"
	"\tmap = clock.monotonic.value;\n} := uint64_clock_monotonic_t;\n\n"
	"struct packet_context {\n"
	"\tuint64_clock_monotonic_t timestamp_begin;\n"
	"\tuint64_clock_monotonic_t timestamp_end;\n"
	"\tuint64_t content_size;\n\tuint64_t packet_size;\n\tuint64_t packet_seq_num;\n"
	"\tunsigned long events_discarded;\n\tuint32_t cpu_id;\n};\n\n";

static const char headers_text[] =
	"struct event_header_compact {\n"
	"\tenum : uint5_t { compact = 0 ... 30, extended = 31 } id;\n"
	"\tvariant <id> {\n"
	"\t\tstruct {\n\t\t\tuint27_clock_monotonic_t timestamp;\n\t\t} compact;\n"
	"\t\tstruct {\n\t\t\tuint32_t id;\n\t\t\tuint64_clock_monotonic_t timestamp;\n"
	"\t\t} extended;\n\t} v;\n} align(8);\n\n"
	"struct event_header_large {\n"
	"\tenum : uint16_t { compact = 0 ... 65534, extended = 65535 } id;\n"
	"\tvariant <id> {\n"
	"\t\tstruct {\n\t\t\tuint32_clock_monotonic_t timestamp;\n\t\t} compact;\n"
	"\t\tstruct {\n\t\t\tuint32_t id;\n\t\t\tuint64_clock_monotonic_t timestamp;\n"
	"\t\t} extended;\n\t} v;\n} align(8);\n\n";

#define INTEGER(SIZE, SIGN, ENCODING, BASE) \
	"integer { size = " #SIZE "; align = 8; signed = " #SIGN "; encoding = " #ENCODING \
	"; base = " #BASE "; }"

static const char *const type_text[] = {
	[WRITER_I32] = INTEGER(32, 1, none, 10),
	[WRITER_U8] = INTEGER(8, 0, none, 10),
	[WRITER_U16] = INTEGER(16, 0, none, 10),
	[WRITER_U32] = INTEGER(32, 0, none, 10),
	[WRITER_I64] = INTEGER(64, 1, none, 10),
	[WRITER_U64] = INTEGER(64, 0, none, 10),
	[WRITER_X64] = INTEGER(64, 0, none, 16),
	[WRITER_STRING] = "string",
	[WRITER_COMM] = INTEGER(8, 1, UTF8, 10),
};

static void
make_uuid(uint8_t uuid[16], uint64_t seed)
{
	for (unsigned i = 0; i < 16; i++) {
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		uuid[i] = (uint8_t) (seed >> 56);
	}
	uuid[6] = (uint8_t) ((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (uint8_t) ((uuid[8] & 0x3f) | 0x80);
}

static void
add_uuid(struct buf *text, const uint8_t uuid[16])
{
	for (unsigned i = 0; i < 16; i++)
		buf_printf(text, "%s%02x", i >= 4 && i <= 10 && i % 2 == 0 ? "-" : "", uuid[i]);
}

static void
add_event_class(struct buf *text, const struct writer_class *class, unsigned id)
{
	buf_printf(text, "event {\n\tname = \"%s\";\n\tid = %u;\n\tstream_id = 0;\n"
		   "\tloglevel = 13;\n\tfields := struct {\n", class->name, id);
	for (unsigned i = 0; i < WRITER_MAX_FIELDS && class->fields[i].type; i++)
		buf_printf(text, "\t\t%s _%s%s;\n", type_text[class->fields[i].type],
			   class->fields[i].name,
			   class->fields[i].type == WRITER_COMM ? "[16]" : "");
	buf_add_string(text, "\t};\n};\n\n");
}

static void
add_trace(struct buf *text, const struct writer *writer)
{
	const struct writer_options *options = &writer->options;
	uint8_t clock_uuid[16];

	make_uuid(clock_uuid, options->seed ^ 0x5eed);
	buf_add_string(text, types_text);
	buf_add_string(text, "trace {\n\tmajor = 1;\n\tminor = 8;\n\tuuid = \"");
	add_uuid(text, writer->uuid);
	buf_add_string(text, "\";\n\tbyte_order = le;\n"
		       "\tpacket.header := struct {\n\t\tuint32_t magic;\n"
		       "\t\tuint8_t  uuid[16];\n\t\tuint32_t stream_id;\n"
		       "\t\tuint64_t stream_instance_id;\n\t};\n};\n\n");
	buf_printf(text, "env {\n\tdomain = \"ust\";\n\ttracer_name = \"lttng-ust\";\n"
		   "\ttracer_major = 2;\n\ttracer_minor = 13;\n"
		   "\ttracer_buffering_scheme = \"uid\";\n"
		   "\ttracer_buffering_id = 0;\n\tarchitecture_bit_width = 64;\n"
		   "\ttrace_name = \"bench\";\n\thostname = \"%s\";\n};\n\n", options->hostname);
	buf_add_string(text, "clock {\n\tname = \"monotonic\";\n\tuuid = \"");
	add_uuid(text, clock_uuid);
	buf_printf(text, "\";\n\tdescription = \"Monotonic Clock\";\n\tfreq = 1000000000;"
		   " /* Frequency, in Hz */\n\toffset = %" PRIu64 ";\n};\n\n",
		   options->clock_offset_ns);
	buf_add_string(text, clock_types_text);
	buf_add_string(text, headers_text);
	buf_printf(text, "stream {\n\tid = 0;\n\tevent.header := struct event_header_%s;\n"
		   "\tpacket.context := struct packet_context;\n\tevent.context := struct {\n"
		   "\t\t%s _vpid;\n\t\t%s _vtid;\n\t\t%s _procname[17];\n\t};\n};\n\n",
		   options->compact ? "compact" : "large", type_text[WRITER_I32],
		   type_text[WRITER_I32], type_text[WRITER_COMM]);
	for (unsigned i = 0; i < writer->n_classes; i++)
		add_event_class(text, &writer->classes[i], i);
}

static void
write_metadata(const struct writer *writer)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	FILE *file = create(writer->options.path, "metadata");

	add_trace(&text, writer);
	while (text.size) {
		uint8_t packet[METADATA_PACKET] = { 0x57, 0x1d, 0xd1, 0x75 };
		uint32_t n = (uint32_t) MIN(text.size, (size_t) METADATA_PACKET - METADATA_HEADER);
		uint32_t content_bits = 8 * (METADATA_HEADER + n);
		uint32_t packet_bits = 8 * METADATA_PACKET;

		memcpy(packet + 4, writer->uuid, 16);
		memcpy(packet + 24, &content_bits, 4);
		memcpy(packet + 28, &packet_bits, 4);
		packet[35] = 1;
		packet[36] = 8;
		memcpy(packet + METADATA_HEADER, text.data, n);
		write_all(file, packet, sizeof packet);
		buf_consume(&text, n);
	}
	if (fclose(file) != 0)
		die("close", "metadata");
}

/* -- Packets ------------------------------------------------------------- */

static void
put(struct stream *stream, const void *bytes, size_t size)
{
	memcpy(stream->packet + stream->used, bytes, size);
	stream->used += size;
}

static void
packet_open(struct stream *stream, uint64_t raw_ns)
{
	stream->begin = stream->last = raw_ns;
	stream->used = HEADER_SIZE + CONTEXT_SIZE;
}

static void
packet_close(struct writer *writer, unsigned index)
{
	struct stream *stream = &writer->streams[index];
	const uint32_t magic = 0xc1fc1fc1, stream_id = 0, cpu = index;
	const size_t content = stream->used, size = (content + 4095) & ~(size_t) 4095;
	const uint64_t instance = index, context[] = {
		stream->begin, stream->last, 8 * content, 8 * size, stream->seq++, 0
	};

	if (!content)
		return;
	stream->used = 0;
	put(stream, &magic, 4);
	put(stream, writer->uuid, 16);
	put(stream, &stream_id, 4);
	put(stream, &instance, 8);
	put(stream, context, sizeof context);
	put(stream, &cpu, 4);
	memset(stream->packet + content, 0, size - content);
	write_all(stream->file, stream->packet, size);
	stream->used = 0;
}

/* As LTTng does: the full time when what a short header holds has wrapped. */
static void
put_header(struct writer *writer, struct stream *stream, uint64_t raw_ns, uint32_t id)
{
	const unsigned bits = writer->options.compact ? 27 : 32;
	const bool full = (raw_ns - stream->last) >> bits || (writer->options.compact && id >= 31);
	const uint32_t low = (uint32_t) raw_ns;
	const uint16_t id16 = full ? 65535 : (uint16_t) id;

	if (writer->options.compact && !full) {
		const uint32_t word = id | low << 5;

		put(stream, &word, 4);
	} else if (writer->options.compact) {
		put(stream, &(uint8_t) { 31 }, 1);
	} else {
		put(stream, &id16, 2);
		if (!full)
			put(stream, &low, 4);
	}
	if (full) {
		put(stream, &id, 4);
		put(stream, &raw_ns, 8);
	}
	stream->last = raw_ns;
}

static void
put_text(struct stream *stream, const char *text, size_t size)
{
	char *to = (char *) stream->packet + stream->used;
	size_t n = strnlen(text, size - 1);

	memcpy(to, text, n);
	memset(to + n, 0, size - n);
	stream->used += size;
}

static void
put_field(struct stream *stream, enum writer_type type, const union writer_value *value)
{
	static const uint8_t sizes[] = {
		[WRITER_I32] = 4, [WRITER_U8] = 1, [WRITER_U16] = 2, [WRITER_U32] = 4,
		[WRITER_I64] = 8, [WRITER_U64] = 8, [WRITER_X64] = 8,
	};

	if (type == WRITER_STRING)
		put(stream, value->s, strlen(value->s) + 1);
	else if (type == WRITER_COMM)
		put_text(stream, value->s, COMM_SIZE);
	else
		put(stream, &value->u, sizes[type]);
}

void
writer_event(struct writer *writer, unsigned index, uint64_t raw_ns, unsigned id,
	     const struct writer_context *context, const union writer_value *values)
{
	const struct writer_class *class = &writer->classes[id];
	struct stream *stream = &writer->streams[index];

	if (stream->used + MAX_EVENT_SIZE > writer->options.packet_size)
		packet_close(writer, index);
	if (!stream->used)
		packet_open(stream, raw_ns);
	put_header(writer, stream, raw_ns, id);
	put(stream, &context->vpid, 4);
	put(stream, &context->vtid, 4);
	put_text(stream, context->procname, PROCNAME_SIZE);
	for (unsigned i = 0; i < WRITER_MAX_FIELDS && class->fields[i].type; i++)
		put_field(stream, class->fields[i].type, &values[i]);
}

struct writer *
writer_new(const struct writer_options *options, const struct writer_class *classes,
	   unsigned n_classes)
{
	struct writer *writer = xcalloc(1, sizeof *writer);

	writer->options = *options;
	writer->classes = classes;
	writer->n_classes = n_classes;
	make_uuid(writer->uuid, options->seed);
	make_folders(options->path);
	write_metadata(writer);
	writer->streams = xcalloc(options->n_streams, sizeof *writer->streams);
	for (unsigned i = 0; i < options->n_streams; i++) {
		char *name = xasprintf("%s_%u", options->channel, i);

		writer->streams[i].file = create(options->path, name);
		writer->streams[i].packet = xmalloc(options->packet_size + 4096);
		free(name);
	}
	return writer;
}

void
writer_close(struct writer *writer)
{
	for (unsigned i = 0; i < writer->options.n_streams; i++) {
		packet_close(writer, i);
		if (fclose(writer->streams[i].file) != 0)
			die("close", "stream");
		free(writer->streams[i].packet);
	}
	free(writer->streams);
	free(writer);
}
