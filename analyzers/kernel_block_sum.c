/* SPDX-License-Identifier: MIT */
#include "analyzers/kernel_block_sum.h"

#include <errno.h>
#include <string.h>

#include "analyzers/pack.h"

void
block_sum_init(struct block_sum *sum)
{
	memset(sum, 0, sizeof *sum);
	sum->devices = KEYED(struct block_device, dev, MAX_BLOCK_DEVICES);
	sum->owners = KEYED(struct block_owner, key, MAX_BLOCK_OWNERS);
}

void
block_sum_done(struct block_sum *sum)
{
	for (uint32_t i = 0; i < sum->devices.n; i++) {
		struct block_device *device = keyed_at(&sum->devices, i);

		for (unsigned k = 0; k < 2; k++) {
			histogram_done(&device->service[k]);
			histogram_done(&device->total[k]);
		}
	}
	keyed_done(&sum->devices);
	keyed_done(&sum->owners);
}

/* Whether there is anything to tell of it. */
static bool
is_active(const struct block_device *d)
{
	return d->queued || d->issued || d->done[BLOCK_READ] || d->done[BLOCK_WRITE] ||
		d->done[BLOCK_OTHER] || d->merges || d->unmatched || d->in_flight;
}

void
block_device_clear(struct block_device *device)
{
	struct block_device empty = { .dev = device->dev };

	if (!is_active(device))
		return;
	memcpy(empty.name, device->name, sizeof empty.name);
	for (unsigned k = 0; k < 2; k++) {
		histogram_reset(&device->service[k]);
		histogram_reset(&device->total[k]);
		empty.service[k] = device->service[k];
		empty.total[k] = device->total[k];
	}
	*device = empty;
}

/* -- Writing ------------------------------------------------------------------ */

static void
write_device(const struct block_device *d, struct buf *out)
{
	varint_write(d->dev, out);
	pack_text(out, d->name);
	varint_write(d->queued, out);
	varint_write(d->issued, out);
	for (unsigned i = 0; i < N_BLOCK_OPS; i++) {
		varint_write(d->done[i], out);
		varint_write(d->bytes[i], out);
	}
	varint_write(d->flushes, out);
	varint_write(d->discards, out);
	varint_write(d->merges, out);
	varint_write(d->errors, out);
	varint_write(d->unmatched, out);
	varint_write(d->in_flight, out);
	varint_write(d->queue_ns, out);
	for (unsigned i = 0; i < 2; i++) {
		histogram_write(&d->service[i], out);
		histogram_write(&d->total[i], out);
	}
}

static void
write_owner(const struct block_owner *o, struct buf *out)
{
	varint_write(o->key.dev, out);
	varint_write(o->key.tid, out);
	varint_write(o->pid, out);
	pack_text(out, o->name);
	for (unsigned i = 0; i < N_BLOCK_OPS; i++) {
		varint_write(o->done[i], out);
		varint_write(o->bytes[i], out);
	}
	varint_write(o->total_ns, out);
	varint_write(o->max_ns, out);
}

void
block_sum_write(struct block_sum *sum, bool all, struct buf *out)
{
	uint32_t n = 0;

	keyed_sort(&sum->devices);
	keyed_sort(&sum->owners);
	buf_add_char(out, BLOCK_WINDOW_VERSION);
	varint_write(sum->late, out);
	varint_write(sum->capped, out);
	varint_write(sum->lost, out);
	for (uint32_t i = 0; i < sum->devices.n; i++)
		n += all || is_active(keyed_at(&sum->devices, i));
	varint_write(n, out);
	for (uint32_t i = 0; i < sum->devices.n; i++)
		if (all || is_active(keyed_at(&sum->devices, i)))
			write_device(keyed_at(&sum->devices, i), out);
	varint_write(sum->owners.n, out);
	for (uint32_t i = 0; i < sum->owners.n; i++)
		write_owner(keyed_at(&sum->owners, i), out);
}

/* -- Reading ------------------------------------------------------------------ */

static void
read_histogram(struct unpack *in, struct histogram *to)
{
	struct histogram one = { 0 };
	ssize_t n;

	if (in->bad)
		return;
	n = histogram_read(&one, in->at, (size_t) (in->end - in->at));
	if (n < 0)
		in->bad = true;
	else
		in->at += n;
	histogram_merge(to, &one);
	histogram_done(&one);
}

static void
add_device(struct block_sum *sum, struct unpack *in)
{
	const uint32_t dev = (uint32_t) unpack_number(in);
	struct block_device *d = keyed_get(&sum->devices, &dev, NULL);
	char name[sizeof d->name];

	unpack_text(in, name, sizeof name);
	if (!d || in->bad) {
		in->bad = true;
		return;
	}
	if (*name)
		strcpy(d->name, name);
	d->queued += unpack_number(in);
	d->issued += unpack_number(in);
	for (unsigned i = 0; i < N_BLOCK_OPS; i++) {
		d->done[i] += unpack_number(in);
		d->bytes[i] += unpack_number(in);
	}
	d->flushes += unpack_number(in);
	d->discards += unpack_number(in);
	d->merges += unpack_number(in);
	d->errors += unpack_number(in);
	d->unmatched += unpack_number(in);
	d->in_flight = unpack_number(in);
	d->queue_ns += unpack_number(in);
	for (unsigned i = 0; i < 2; i++) {
		read_histogram(in, &d->service[i]);
		read_histogram(in, &d->total[i]);
	}
}

static void
add_owner(struct block_sum *sum, struct unpack *in)
{
	struct block_owner_key key;
	struct block_owner *o, spare = { 0 };
	uint32_t pid;
	uint64_t max_ns;

	key.dev = (uint32_t) unpack_number(in);
	key.tid = (uint32_t) unpack_number(in);
	pid = (uint32_t) unpack_number(in);
	o = keyed_get(&sum->owners, &key, NULL);
	if (!o) {
		sum->capped++;
		o = &spare;
	}
	o->pid = pid ? pid : o->pid;
	unpack_text(in, o->name, sizeof o->name);
	for (unsigned i = 0; i < N_BLOCK_OPS; i++) {
		o->done[i] += unpack_number(in);
		o->bytes[i] += unpack_number(in);
	}
	o->total_ns += unpack_number(in);
	max_ns = unpack_number(in);
	o->max_ns = MAX(o->max_ns, max_ns);
}

int
block_sum_add(struct block_sum *sum, const struct fact_window *window)
{
	struct unpack in = { .at = window->blob,
			     .end = (const unsigned char *) window->blob + window->size };
	uint64_t n;

	if (!window->size || *in.at++ != BLOCK_WINDOW_VERSION)
		return -EINVAL;
	sum->late += unpack_number(&in);
	sum->capped += unpack_number(&in);
	sum->lost += unpack_number(&in);
	n = unpack_count(&in);
	for (uint64_t i = 0; i < n && !in.bad; i++)
		add_device(sum, &in);
	n = unpack_count(&in);
	for (uint64_t i = 0; i < n && !in.bad; i++)
		add_owner(sum, &in);
	if (in.bad || in.at != in.end)
		return -EINVAL;
	sum->from_ns = sum->from_ns ? MIN(sum->from_ns, window->start_ns) : window->start_ns;
	sum->to_ns = MAX(sum->to_ns, window->end_ns);
	return 0;
}

static int
merge(const struct fact_window *windows, size_t n, struct buf *ret)
{
	struct block_sum sum;
	int r = 0;

	block_sum_init(&sum);
	for (size_t i = 0; i < n && !r; i++)
		r = block_sum_add(&sum, &windows[i]);
	if (!r)
		block_sum_write(&sum, false, ret);
	block_sum_done(&sum);
	return r;
}

static json_t *
device_json(const struct block_device *d)
{
	return json_pack("{s:i, s:i, s:I, s:I, s:[I, I, I], s:[I, I, I], s:I, s:I, s:I, s:I, s:I, s:I,"
			 " s:I, s:[I, I], s:[I, I]}",
			 "major", (int) BLOCK_MAJOR(d->dev), "minor", (int) BLOCK_MINOR(d->dev),
			 "queued", (json_int_t) d->queued, "issued", (json_int_t) d->issued, "done",
			 (json_int_t) d->done[0], (json_int_t) d->done[1], (json_int_t) d->done[2],
			 "bytes", (json_int_t) d->bytes[0], (json_int_t) d->bytes[1],
			 (json_int_t) d->bytes[2], "flushes", (json_int_t) d->flushes, "discards",
			 (json_int_t) d->discards, "merges", (json_int_t) d->merges, "errors",
			 (json_int_t) d->errors, "unmatched", (json_int_t) d->unmatched, "in_flight",
			 (json_int_t) d->in_flight, "queue", (json_int_t) d->queue_ns, "service",
			 (json_int_t) d->service[0].sum, (json_int_t) d->service[1].sum, "total",
			 (json_int_t) d->total[0].sum, (json_int_t) d->total[1].sum);
}

static json_t *
window_json(const struct fact_window *window)
{
	json_t *devices = json_array(), *owners = json_array(), *object = NULL;
	struct block_sum sum;

	block_sum_init(&sum);
	if (!block_sum_add(&sum, window)) {
		for (uint32_t i = 0; i < sum.devices.n; i++)
			json_array_append_new(devices, device_json(keyed_at(&sum.devices, i)));
		for (uint32_t i = 0; i < sum.owners.n; i++) {
			const struct block_owner *o = keyed_at(&sum.owners, i);

			json_array_append_new(owners, json_pack(
				"{s:i, s:i, s:I, s:[I, I, I], s:I, s:I}", "major",
				(int) BLOCK_MAJOR(o->key.dev), "minor", (int) BLOCK_MINOR(o->key.dev),
				"tid", (json_int_t) o->key.tid, "done", (json_int_t) o->done[0],
				(json_int_t) o->done[1], (json_int_t) o->done[2], "total",
				(json_int_t) o->total_ns, "max", (json_int_t) o->max_ns));
		}
		object = json_pack("{s:I, s:I, s:I, s:O, s:O}", "late", (json_int_t) sum.late, "capped",
				   (json_int_t) sum.capped, "lost", (json_int_t) sum.lost, "devices",
				   devices, "owners", owners);
	}
	json_decref(devices);
	json_decref(owners);
	block_sum_done(&sum);
	return object;
}

const struct window_kind block_window_kind = { .kind = "block", .merge = merge, .json = window_json };
