/* SPDX-License-Identifier: MIT */
#include "replay/packets.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctf/stream.h"
#include "lib/util.h"
#include "replay/wire.h"

struct stream_file {
	char *path;
	struct ctf_trace *trace;
	const uint8_t *map;
	uint64_t mapped, size;     /* Bytes; 'size' those of whole packets. */
	unsigned alignment;        /* Bits. */
	uint64_t end;
	struct error problem;
};

/* A part of a recorded packet that becomes a packet of its own. */
struct slice {
	uint64_t first_bit, end_bit;   /* Its events, in the recorded packet. */
	uint64_t begin, last;          /* Clock values of its first and latest event. */
};

struct packets {
	struct stream_file *file;
	struct ctf_stream *stream;     /* Finds the event borders. */
	uint64_t period;
	int64_t offset;
	/* The recorded packet at hand. */
	uint64_t at, next;             /* Where it and the one after it begin, bytes. */
	struct ctf_packet_info info;
	struct ctf_packet_place places[CTF_N_PACKET_FIELDS];
	uint64_t header_bits;          /* Up to the first event. */
	bool verbatim;                 /* To be sent as it is, but for its number. */
	struct slice *slices;
	unsigned n_slices, slices_size, slice;
	/* Over packets. */
	bool any, have_head;
	uint64_t recorded_seq, seq;    /* Of the last packet, recorded and sent. */
	uint64_t discarded;            /* Running total of the packet before. */
	uint64_t kept;
	struct error why_kept;
	struct relayd_index head;
};

static int
peek(struct stream_file *file, uint64_t at, struct ctf_packet_info *ret, struct error *error)
{
	uint64_t left = file->mapped - at;
	int err;

	err = ctf_packet_peek(file->trace, file->map + at, left, ret, error);
	if (err)
		return err;
	if (!ret->has_times)
		return error_set(error, EBADMSG, "packets have no timestamps: only traces as LTTng"
				 " makes them can be published");
	if (!ret->packet_bits || ret->packet_bits % 8 || ret->packet_bits / 8 > left
	    || ret->content_bits > ret->packet_bits)
		return error_set(error, EBADMSG, "a packet of %" PRIu64 " bits with %" PRIu64
				 " used, where %" PRIu64 " bytes are left", ret->packet_bits,
				 ret->content_bits, left);
	if (ret->packet_bits / 8 > UINT32_MAX)
		return error_set(error, EFBIG, "a packet of more than 4 GiB");
	return 0;
}

/* Finds how far there are whole packets.  Fails if not even one is. */
static int
scan(struct stream_file *file, struct error *error)
{
	struct ctf_packet_info info;
	int err;

	while (file->size < file->mapped) {
		err = peek(file, file->size, &info, &file->problem);
		if (err) {
			error_prefix(&file->problem, "%s: at byte %" PRIu64, file->path,
				     file->size);
			if (file->size)
				break;
			return error_set(error, -err, "%s", file->problem.text);
		}
		file->size += info.packet_bits / 8;
		file->end = MAX(file->end, info.end_raw_ns);
	}
	return 0;
}

int
stream_file_open(const char *path, struct ctf_trace *trace, unsigned alignment,
		 struct stream_file **ret, struct error *error)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stream_file *file;
	struct stat st;
	void *map = NULL;
	int err;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set(error, errno, "%s: %s", path, strerror(errno));
	if (st.st_size) {
		map = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (map == MAP_FAILED)
			return error_set(error, errno, "%s: %s", path, strerror(errno));
	}
	file = xcalloc(1, sizeof *file);
	file->path = xstrdup(path);
	file->trace = trace;
	file->map = map;
	file->mapped = (uint64_t) st.st_size;
	file->alignment = alignment;
	err = scan(file, error);
	if (err) {
		stream_file_close(file);
		return err;
	}
	*ret = file;
	return 0;
}

void
stream_file_close(struct stream_file *file)
{
	if (!file)
		return;
	if (file->map)
		munmap((void *) (uintptr_t) file->map, file->mapped);
	free(file->path);
	free(file);
}

const struct error *
stream_file_problem(const struct stream_file *file)
{
	return file->problem.code ? &file->problem : NULL;
}

uint64_t
stream_file_bytes(const struct stream_file *file)
{
	return file->size;
}

uint64_t
stream_file_end(const struct stream_file *file)
{
	return file->end;
}

bool
stream_file_first_event(struct stream_file *file, uint64_t *ret_raw_ns)
{
	struct packets *packets = packets_new(file, INT64_MAX, 0);
	bool found = false;

	/* A packet without events is a slice without bits. */
	while (packets_head(packets) && !found) {
		const struct slice *slice = &packets->slices[packets->slice];

		found = slice->end_bit > slice->first_bit;
		if (found)
			*ret_raw_ns = slice->begin;
		else
			packets_advance(packets);
	}
	packets_free(packets);
	return found;
}

struct packets *
packets_new(struct stream_file *file, uint64_t period, int64_t offset)
{
	struct packets *packets = xcalloc(1, sizeof *packets);

	packets->file = file;
	packets->period = period;
	packets->offset = offset;
	packets->stream = ctf_stream_new(file->trace, file->path);
	ctf_stream_want_all(packets->stream);
	return packets;
}

void
packets_free(struct packets *packets)
{
	if (!packets)
		return;
	ctf_stream_free(packets->stream);
	free(packets->slices);
	free(packets);
}

/* Number of the period in which a clock value lies. */
static uint64_t
period_of(const struct packets *packets, uint64_t raw)
{
	return (raw + (uint64_t) packets->offset) / packets->period;
}

/* Clock value at which that period is over. */
static uint64_t
period_end(const struct packets *packets, uint64_t raw)
{
	return (period_of(packets, raw) + 1) * packets->period - (uint64_t) packets->offset;
}

static void
add_slice(struct packets *packets, const struct slice *slice)
{
	if (packets->n_slices == packets->slices_size) {
		packets->slices_size = MAX(16u, 2 * packets->slices_size);
		packets->slices = xrealloc(packets->slices,
					   packets->slices_size * sizeof *packets->slices);
	}
	packets->slices[packets->n_slices++] = *slice;
}

/* Whether an event that begins at 'bit' may be the first one of a packet: it
 * must keep its alignment, and bytes are copied whole. */
static bool
may_begin_packet(const struct packets *packets, uint64_t bit)
{
	return !((bit - packets->header_bits) % packets->file->alignment)
		&& !(bit % 8) && !(packets->header_bits % 8);
}

static void
take_event(struct packets *packets, uint64_t raw, uint64_t begin_bit, uint64_t end_bit)
{
	bool first = !packets->n_slices;
	struct slice *slice = first ? NULL : &packets->slices[packets->n_slices - 1];

	if (first)
		packets->header_bits = begin_bit;
	if (first || (period_of(packets, slice->last) != period_of(packets, raw)
		       && may_begin_packet(packets, begin_bit))) {
		add_slice(packets, &(struct slice) { begin_bit, end_bit, raw, raw });
		return;
	}
	slice->end_bit = end_bit;
	slice->last = MAX(slice->last, raw);
}

/* Walks over the events of the packet at hand.  Fails when one of them cannot
 * be decoded. */
static int
walk(struct packets *packets, struct error *error)
{
	struct stream_file *file = packets->file;
	const struct error *bad;
	uint64_t raw, begin_bit, end_bit;
	enum ctf_head what;
	int err;

	err = ctf_stream_push(packets->stream, file->map + packets->at,
			      packets->next - packets->at, NULL, NULL, error);
	if (err)
		return err;
	while ((what = ctf_stream_head(packets->stream, &raw, error)) > CTF_HEAD_NONE) {
		if (what == CTF_HEAD_EVENT) {
			ctf_stream_event_bits(packets->stream, &begin_bit, &end_bit);
			take_event(packets, raw, begin_bit, end_bit);
		}
		ctf_stream_advance(packets->stream);
	}
	bad = ctf_stream_error(packets->stream);
	return bad ? error_set(error, EBADMSG, "%s", bad->text) : 0;
}

/* Whether what must change in a slice's header is where it can be changed. */
static bool
can_renew(const struct packets *packets)
{
	const struct ctf_packet_place *places = packets->places;

	return places[CTF_PACKET_BEGIN].bits == 64 && places[CTF_PACKET_END].bits == 64
		&& places[CTF_PACKET_CONTENT_SIZE].bits && places[CTF_PACKET_PACKET_SIZE].bits;
}

/* Cuts the packet at hand into slices. */
static void
cut(struct packets *packets)
{
	const struct ctf_packet_info *info = &packets->info;
	struct slice whole = { 0, 0, info->begin_raw_ns, info->begin_raw_ns };
	struct error error = { 0 };
	int err = 0;

	packets->n_slices = packets->slice = 0;
	packets->header_bits = info->content_bits;
	packets->verbatim = !packets->period;
	if (packets->verbatim) {
		add_slice(packets, &whole);
		return;
	}
	if (!can_renew(packets))
		err = error_set(&error, ENOTSUP, "its header is not one that can be renewed");
	if (!err)
		err = walk(packets, &error);
	if (err) {
		packets->n_slices = 0;
		packets->verbatim = true;
		if (!packets->kept++) {
			packets->why_kept = error;
			error_prefix(&packets->why_kept, "%s: packet at byte %" PRIu64,
				     packets->file->path, packets->at);
		}
	}
	if (!packets->n_slices) {
		/* Beacons went on while it was open: it begins with its last period. */
		if (!err && info->end_raw_ns > info->begin_raw_ns)
			whole.begin = MAX(whole.begin, period_end(packets, info->end_raw_ns)
						       - packets->period);
		add_slice(packets, &whole);
	}
}

/* Fills the index of the slice at hand. */
static void
make_head(struct packets *packets)
{
	const struct ctf_packet_info *info = &packets->info;
	const struct slice *slice = &packets->slices[packets->slice];
	bool last = packets->slice + 1 == packets->n_slices;
	bool lossy = packets->any && info->discarded != packets->discarded;
	struct relayd_index *head = &packets->head;

	*head = (struct relayd_index) {
		.packet_bits = info->packet_bits, .content_bits = info->content_bits,
		.begin = slice->begin, .end = info->end_raw_ns,
		.discarded = info->discarded,
		.stream_class_id = info->stream_class_id,
		.stream_instance_id = info->has_instance ? info->stream_instance_id : UINT64_MAX,
		.seq = info->has_seq ? packets->seq : UINT64_MAX,
	};
	packets->have_head = true;
	if (packets->verbatim)
		return;
	head->content_bits = packets->header_bits + slice->end_bit - slice->first_bit;
	head->packet_bits = (head->content_bits + 63) / 64 * 64;
	if (slice->end_bit == slice->first_bit)
		return;
	/* The live timer would have closed it; but a loss is known only when the
	 * recorded packet closes, and belongs to the time since its last event. */
	if (!last || !lossy)
		head->end = MIN(head->end, period_end(packets, slice->last));
	if (!last)
		head->end = MIN(head->end, slice[1].begin);
	head->end = MAX(head->end, slice->last);
	if (!last && lossy)
		head->discarded = packets->discarded;
}

/* Loads the recorded packet at 'next'; false at the end. */
static bool
load(struct packets *packets)
{
	struct stream_file *file = packets->file;

	if (packets->next >= file->size
	    || peek(file, packets->next, &packets->info, NULL) < 0)
		return false;
	packets->at = packets->next;
	packets->next += packets->info.packet_bits / 8;
	memset(packets->places, 0, sizeof packets->places);
	ctf_packet_places(file->trace, file->map + packets->at, packets->next - packets->at,
			  packets->places, NULL);
	/* Gaps stay, as they tell of lost packets. */
	if (!packets->any)
		packets->seq = packets->info.seq;
	else if (packets->info.seq > packets->recorded_seq)
		packets->seq += packets->info.seq - packets->recorded_seq;
	else
		packets->seq++;
	cut(packets);
	return true;
}

const struct relayd_index *
packets_head(struct packets *packets)
{
	if (packets->have_head)
		return &packets->head;
	if (packets->slice >= packets->n_slices && !load(packets))
		return NULL;
	make_head(packets);
	return &packets->head;
}

static void
renew(const struct packets *packets, uint8_t *bytes, enum ctf_packet_field field, uint64_t value)
{
	const struct ctf_packet_place *place = &packets->places[field];

	if (place->bits)
		wire_store(bytes + place->bit / 8, place->bits / 8, place->big_endian, value);
}

void
packets_write(struct packets *packets, struct buf *out)
{
	const struct relayd_index *head = packets_head(packets);
	const uint8_t *recorded = packets->file->map + packets->at;
	const struct slice *slice = &packets->slices[packets->slice];
	size_t from = out->size;
	uint8_t *bytes;

	if (packets->verbatim) {
		buf_add(out, recorded, (head->content_bits + 7) / 8);
	} else {
		buf_add(out, recorded, (packets->header_bits + 7) / 8);
		buf_add(out, recorded + slice->first_bit / 8,
			(head->content_bits + 7) / 8 - (packets->header_bits + 7) / 8);
	}
	bytes = (uint8_t *) out->data + from;
	if (packets->info.has_seq)
		renew(packets, bytes, CTF_PACKET_SEQ, head->seq);
	if (packets->verbatim)
		return;
	renew(packets, bytes, CTF_PACKET_BEGIN, head->begin);
	renew(packets, bytes, CTF_PACKET_END, head->end);
	renew(packets, bytes, CTF_PACKET_CONTENT_SIZE, head->content_bits);
	renew(packets, bytes, CTF_PACKET_PACKET_SIZE, head->packet_bits);
	renew(packets, bytes, CTF_PACKET_DISCARDED, head->discarded);
}

void
packets_advance(struct packets *packets)
{
	packets->have_head = false;
	if (++packets->slice < packets->n_slices) {
		packets->seq++;
		return;
	}
	packets->any = true;
	packets->recorded_seq = packets->info.seq;
	packets->discarded = packets->info.discarded;
}

uint64_t
packets_done_bytes(const struct packets *packets)
{
	return packets->slice < packets->n_slices ? packets->at : packets->next;
}

uint64_t
packets_kept(const struct packets *packets, const struct error **ret_why)
{
	*ret_why = &packets->why_kept;
	return packets->kept;
}
