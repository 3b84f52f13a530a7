/* SPDX-License-Identifier: MIT
 *
 * kernel_block.c -- what goes to disks: bios from where they are queued, through
 * device mapper and partitions (remap), into requests, to the driver and back.
 *
 * A request is its submitter's, which block_bio_queue names: at the driver it may
 * be a kernel worker that runs.  A bio is followed down from the first device
 * it was queued at, so that each of the devices knows how long it took. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/analyzer.h"
#include "analyzers/kernel_block_sum.h"
#include "lib/clock.h"
#include "lib/util.h"

#define WINDOW_NS (100 * NS_PER_MS)
/* The slowest are told for each of these, if they took longer than: */
#define SLOW_PERIOD_NS (10 * NS_PER_S)
#define BIO_AGE_NS (60 * NS_PER_S)
#define SLOW_NS (50 * NS_PER_MS)

enum {
	MAX_BIOS = 32768, MAX_REQUESTS = 16384, MAX_CHAINS = 512, MAX_UPPER = 4, MAX_SLOW = 3,
	MAX_SLOW_ALL = 96,
};

/* -- What it reads -------------------------------------------------------------- */

struct values {
	uint64_t dev, sector, nr_sector, bytes, rwbs, tid, pid, old_dev, old_sector, new_sector;
	int64_t error;
	struct text comm, name;
};
#define PLACE \
	FIELD(U64, struct values, dev, "dev"), \
	FIELD(U64, struct values, sector, "sector"), \
	FIELD(U64, struct values, nr_sector, "nr_sector"), \
	FIELD(U64, struct values, rwbs, "rwbs", .optional = true)
#define WHO \
	FIELD(U64, struct values, tid, "tid", .optional = true), \
	FIELD(TEXT, struct values, comm, "comm", .optional = true), \
	FIELD(U64, struct values, pid, "pid", .scope = CTF_EVENT_CONTEXT, .optional = true)
static const struct field place_fields[] = { PLACE, { 0 } };
static const struct field bio_fields[] = { PLACE, WHO, { 0 } };
static const struct field request_fields[] = {
	PLACE, WHO, FIELD(U64, struct values, bytes, "bytes", .optional = true), { 0 } };
static const struct field complete_fields[] = {
	PLACE, FIELD(I64, struct values, error, "error", "errors", .optional = true), { 0 } };
static const struct field remap_fields[] = {
	PLACE,
	FIELD(U64, struct values, old_dev, "old_dev"),
	FIELD(U64, struct values, old_sector, "old_sector"),
	{ 0 }
};
static const struct field split_fields[] = {
	FIELD(U64, struct values, dev, "dev"),
	FIELD(U64, struct values, sector, "sector"),
	FIELD(U64, struct values, new_sector, "new_sector"),
	{ 0 }
};
static const struct field dump_fields[] = {
	FIELD(U64, struct values, dev, "dev"),
	FIELD(TEXT, struct values, name, "diskname"),
	{ 0 }
};

enum {
	BIO_QUEUE, BIO_REMAP, BIO_SPLIT, BACK_MERGE, FRONT_MERGE, RQ_MERGE, RQ_INSERT, RQ_ISSUE,
	RQ_COMPLETE, RQ_REQUEUE, DUMP,
};
static const struct native_event events[] = {
	[BIO_QUEUE] = { .name = "block_bio_queue", .reads = bio_fields },
	[BIO_REMAP] = { .name = "block_bio_remap", .reads = remap_fields },
	[BIO_SPLIT] = { .name = "block_split", .reads = split_fields },
	[BACK_MERGE] = { .name = "block_bio_backmerge", .reads = bio_fields },
	[FRONT_MERGE] = { .name = "block_bio_frontmerge", .reads = bio_fields },
	[RQ_MERGE] = { .name = "block_rq_merge", .reads = place_fields },
	[RQ_INSERT] = { .name = "block_rq_insert", .reads = request_fields },
	[RQ_ISSUE] = { .name = "block_rq_issue", .reads = request_fields },
	[RQ_COMPLETE] = { .name = "block_rq_complete", .reads = complete_fields },
	[RQ_REQUEUE] = { .name = "block_rq_requeue", .reads = complete_fields },
	[DUMP] = { .name = "lttng_statedump_block_device", .reads = dump_fields },
	{ 0 }
};

/* Bits of rwbs, as lttng-modules has them. */
enum { RWBS_WRITE = 1, RWBS_DISCARD = 2, RWBS_READ = 4, RWBS_FLUSH = 256, RWBS_PREFLUSH = 1024 };

/* -- State ------------------------------------------------------------------------ */

struct place {
	uint64_t sector;
	uint32_t dev, spare;
};

struct upper {
	uint64_t queued_ns;
	uint32_t dev, spare;
};

struct owner {
	uint32_t tid, pid;
	char name[16];
};

struct bio {
	struct place place;
	uint64_t nr, queued_ns;
	struct owner owner;
	uint32_t n_uppers, rwbs;
	struct upper uppers[MAX_UPPER];  /* The devices above, from the first one on. */
};

struct request {
	struct place place;
	uint64_t nr, bytes, queued_ns, insert_ns, issue_ns;
	struct owner owner;
	uint32_t rwbs, spare;
};

struct chain {
	uint32_t upper, lower;
};

struct slow {
	struct request request;
	uint64_t done_ns;
	int64_t error;
};

struct kernel_block {
	uint64_t window_ns, period_ns;   /* Begins of those that are open; 0: none. */
	struct block_sum sum;            /* The open window. */
	struct keyed bios, requests, chains;
	struct slow slow[MAX_SLOW_ALL];
	uint32_t n_slow;
	bool changed, active;
};

static enum block_op
op_of(uint64_t rwbs)
{
	/* Some versions have a bit for reads, others none at all. */
	if (rwbs & (RWBS_DISCARD | RWBS_FLUSH))
		return BLOCK_OTHER;
	return rwbs & RWBS_WRITE ? BLOCK_WRITE : BLOCK_READ;
}

static struct block_device *
device(struct kernel_block *b, uint64_t dev)
{
	const uint32_t number = (uint32_t) dev;
	struct block_device *d = keyed_get(&b->sum.devices, &number, NULL);

	b->active = true;
	if (!d)
		b->sum.capped++;
	return d;
}

static struct place
place_of(uint64_t dev, uint64_t sector)
{
	return (struct place) { .sector = sector, .dev = (uint32_t) dev };
}

static void
set_owner(struct owner *owner, const struct values *v)
{
	owner->tid = (uint32_t) v->tid;
	owner->pid = (uint32_t) v->pid;
	memset(owner->name, 0, sizeof owner->name);
	memcpy(owner->name, v->comm.s ? v->comm.s : "", MIN(v->comm.size, sizeof owner->name - 1));
}

static void
note_done(struct kernel_block *b, uint32_t dev, const struct owner *owner, enum block_op op,
	  uint64_t bytes, uint64_t total_ns)
{
	const struct block_owner_key key = { .dev = dev, .tid = owner->tid };
	struct block_owner *o = keyed_get(&b->sum.owners, &key, NULL);

	if (!o) {
		b->sum.capped++;
		return;
	}
	o->pid = owner->pid ? owner->pid : o->pid;
	memcpy(o->name, owner->name, sizeof o->name);
	o->done[op]++;
	o->bytes[op] += bytes;
	o->total_ns += total_ns;
	o->max_ns = MAX(o->max_ns, total_ns);
}

/* -- Events ------------------------------------------------------------------------ */

static void
on_bio_queue(struct kernel_block *b, const struct step *step)
{
	const struct values *v = step->values;
	const struct place place = place_of(v->dev, v->sector);
	struct block_device *d = device(b, v->dev);
	struct bio *bio;
	bool is_new;

	if (d)
		d->queued++;
	if (!v->nr_sector)
		return;              /* A flush: it has no place. */
	bio = keyed_get(&b->bios, &place, &is_new);
	if (!bio) {
		b->sum.capped++;
		return;
	}
	/* Was it mapped to here just before?  Then it keeps who it is. */
	if (!is_new && bio->n_uppers && bio->queued_ns == bio->uppers[bio->n_uppers - 1].queued_ns)
		return;
	memset((char *) bio + sizeof bio->place, 0, sizeof *bio - sizeof bio->place);
	bio->nr = v->nr_sector;
	bio->rwbs = (uint32_t) v->rwbs;
	bio->queued_ns = step->t_ns;
	set_owner(&bio->owner, v);
}

static void
tell_chain(struct kernel_block *b, const struct step *step, const struct values *v)
{
	const struct chain key = { .upper = (uint32_t) v->old_dev, .lower = (uint32_t) v->dev };
	struct fact fact = { .type = FACT_LINK, .kind = "block.chain", .start_ns = step->t_ns };
	char upper[32], lower[32];
	bool is_new;

	if (!keyed_get(&b->chains, &key, &is_new) || !is_new)
		return;
	snprintf(upper, sizeof upper, "%u:%u", BLOCK_MAJOR(key.upper), BLOCK_MINOR(key.upper));
	snprintf(lower, sizeof lower, "%u:%u", BLOCK_MAJOR(key.lower), BLOCK_MINOR(key.lower));
	snprintf(fact.key, sizeof fact.key, "%s/%s", upper, lower);
	fact.attributes = json_pack("{s:s, s:s, s:I, s:s}", "upper", upper, "lower", lower,
				    "offset_sectors", (json_int_t) (v->sector - v->old_sector),
				    "source", "block_bio_remap");
	native_tell(step, &fact);
}

static void
on_remap(struct kernel_block *b, const struct step *step)
{
	const struct values *v = step->values;
	const struct place from = place_of(v->old_dev, v->old_sector);
	const struct place to = place_of(v->dev, v->sector);
	struct bio *upper = keyed_find(&b->bios, &from), moved = { 0 }, *bio;

	device(b, v->dev);
	tell_chain(b, step, v);
	if (!v->nr_sector)
		return;
	if (upper) {
		moved = *upper;
		/* A part of it goes there; the rest will be mapped on its own. */
		keyed_remove(&b->bios, upper);
		if (moved.nr > v->nr_sector) {
			const struct place rest = place_of(v->old_dev, v->old_sector + v->nr_sector);
			struct bio *left = keyed_get(&b->bios, &rest, NULL);

			if (left) {
				*left = moved;
				left->place = rest;
				left->nr -= v->nr_sector;
			}
		}
		if (moved.n_uppers < MAX_UPPER)
			moved.uppers[moved.n_uppers++] = (struct upper) {
				.queued_ns = moved.queued_ns, .dev = (uint32_t) v->old_dev };
	}
	bio = keyed_get(&b->bios, &to, NULL);
	if (!bio) {
		b->sum.capped++;
		return;
	}
	if (!upper)
		moved.queued_ns = step->t_ns;
	moved.place = to;
	moved.nr = v->nr_sector;
	moved.rwbs = (uint32_t) v->rwbs;
	*bio = moved;
}

/* A bio that is too long for its device goes there in two parts. */
static void
on_split(struct kernel_block *b, const struct step *step)
{
	const struct values *v = step->values;
	const struct place place = place_of(v->dev, v->sector), rest = place_of(v->dev, v->new_sector);
	const uint64_t nr = v->new_sector - v->sector;
	struct bio *bio = keyed_find(&b->bios, &place), *second;
	struct bio whole;

	if (!bio || v->new_sector <= v->sector || nr >= bio->nr)
		return;
	whole = *bio;
	bio->nr = nr;
	second = keyed_get(&b->bios, &rest, NULL);
	if (!second) {
		b->sum.capped++;
		return;
	}
	*second = whole;
	second->place = rest;
	second->nr = whole.nr - nr;
}

static struct request *
request(struct kernel_block *b, const struct values *v, const struct step *step)
{
	const struct place place = place_of(v->dev, v->sector);
	const struct bio *bio;
	struct request *rq;
	bool is_new;

	rq = keyed_get(&b->requests, &place, &is_new);
	if (!rq) {
		b->sum.capped++;
		return NULL;
	}
	/* What was there and is over would have been completed. */
	if (is_new || rq->issue_ns) {
		memset((char *) rq + sizeof rq->place, 0, sizeof *rq - sizeof rq->place);
		bio = keyed_find(&b->bios, &place);
		rq->queued_ns = bio ? bio->queued_ns : step->t_ns;
		if (bio && (bio->owner.tid || *bio->owner.name))
			rq->owner = bio->owner;
		else
			set_owner(&rq->owner, v);
	}
	rq->nr = v->nr_sector;
	rq->bytes = v->nr_sector * 512;
	rq->rwbs = (uint32_t) v->rwbs;
	return rq;
}

static void
on_merge(struct kernel_block *b, const struct step *step)
{
	const struct values *v = step->values;
	struct block_device *d = device(b, v->dev);

	if (d)
		d->merges++;
}

/* A request that another one takes in is not completed by itself; its bios are, with that. */
static void
on_request_merge(struct kernel_block *b, const struct step *step)
{
	const struct values *v = step->values;
	const struct place place = place_of(v->dev, v->sector);
	struct request *rq = keyed_find(&b->requests, &place);

	on_merge(b, step);
	if (rq)
		keyed_remove(&b->requests, rq);
}

static void
on_insert(struct kernel_block *b, const struct step *step)
{
	const struct values *v = step->values;
	struct request *rq = v->nr_sector ? request(b, v, step) : NULL;

	if (rq)
		rq->insert_ns = step->t_ns;
}

static void
on_issue(struct kernel_block *b, const struct step *step)
{
	const struct values *v = step->values;
	struct block_device *d = device(b, v->dev);
	struct request *rq;

	if (d) {
		d->issued++;
		d->flushes += v->rwbs & (RWBS_FLUSH | RWBS_PREFLUSH) ? 1 : 0;
		d->discards += v->rwbs & RWBS_DISCARD ? 1 : 0;
	}
	rq = v->nr_sector ? request(b, v, step) : NULL;
	if (!rq)
		return;
	rq->issue_ns = step->t_ns;
	if (d)
		d->queue_ns += step->t_ns - MIN(rq->queued_ns, step->t_ns);
}

static int
by_slowness(const struct slow *a, const struct slow *b)
{
	const uint64_t x = a->done_ns - a->request.queued_ns, y = b->done_ns - b->request.queued_ns;

	if (x != y)
		return x > y ? -1 : 1;
	if (a->request.place.sector != b->request.place.sector)
		return a->request.place.sector < b->request.place.sector ? -1 : 1;
	return 0;
}

/* Among the slowest of its device, it takes the place of the fastest of these. */
static void
note_slow(struct kernel_block *b, const struct request *rq, uint64_t done_ns, int64_t error)
{
	struct slow slow = { .request = *rq, .done_ns = done_ns, .error = error };
	struct slow *fastest = NULL;
	unsigned n = 0;

	if (!rq->issue_ns || done_ns - MIN(rq->queued_ns, done_ns) < SLOW_NS)
		return;
	for (uint32_t i = 0; i < b->n_slow; i++)
		if (b->slow[i].request.place.dev == rq->place.dev) {
			n++;
			if (!fastest || by_slowness(fastest, &b->slow[i]) < 0)
				fastest = &b->slow[i];
		}
	if (n >= MAX_SLOW && by_slowness(&slow, fastest) < 0)
		*fastest = slow;
	else if (n < MAX_SLOW && b->n_slow < MAX_SLOW_ALL)
		b->slow[b->n_slow++] = slow;
}

/* The bios of a request that is done, each with the devices above it. */
static void
finish_bios(struct kernel_block *b, const struct request *rq, uint64_t nr, uint64_t t_ns)
{
	uint64_t sector = rq->place.sector;
	const uint64_t end = sector + nr;

	while (sector < end) {
		const struct place place = place_of(rq->place.dev, sector);
		struct bio *bio = keyed_find(&b->bios, &place);
		const enum block_op op = op_of(rq->rwbs);

		if (!bio || !bio->nr || bio->nr > end - sector)
			return;
		note_done(b, rq->place.dev, &bio->owner, op, bio->nr * 512,
			  t_ns - MIN(bio->queued_ns, t_ns));
		for (uint32_t i = 0; i < MIN(bio->n_uppers, (uint32_t) MAX_UPPER); i++) {
			const struct upper *upper = &bio->uppers[i];
			struct block_device *d = device(b, upper->dev);
			const uint64_t ns = t_ns - MIN(upper->queued_ns, t_ns);

			note_done(b, upper->dev, &bio->owner, op, bio->nr * 512, ns);
			if (!d)
				continue;
			d->done[op]++;
			d->bytes[op] += bio->nr * 512;
			if (op != BLOCK_OTHER)
				histogram_add(&d->total[op], ns);
		}
		sector += bio->nr;
		keyed_remove(&b->bios, bio);
	}
}

static void
finish(struct kernel_block *b, const struct request *rq, uint64_t t_ns, int64_t error)
{
	struct block_device *d = device(b, rq->place.dev);
	const enum block_op op = op_of(rq->rwbs);

	if (!d)
		return;
	d->done[op]++;
	d->bytes[op] += rq->bytes;
	d->errors += error != 0;
	if (op == BLOCK_OTHER)
		return;
	if (rq->issue_ns)
		histogram_add(&d->service[op], t_ns - MIN(rq->issue_ns, t_ns));
	histogram_add(&d->total[op], t_ns - MIN(rq->queued_ns, t_ns));
	note_slow(b, rq, t_ns, error);
}

static void
on_complete(struct kernel_block *b, const struct step *step)
{
	const struct values *v = step->values;
	const struct place place = place_of(v->dev, v->sector);
	struct request *rq = keyed_find(&b->requests, &place), rest;
	struct block_device *d;

	if (!v->nr_sector || v->sector == UINT64_MAX)
		return;              /* A flush: its request had no place. */
	if (!rq) {
		d = device(b, v->dev);
		if (d)
			d->unmatched++;
		return;
	}
	finish_bios(b, rq, MIN(v->nr_sector, rq->nr), step->t_ns);
	if (v->nr_sector < rq->nr) {
		/* A part of it; the rest goes on under the place of its begin. */
		rest = *rq;
		keyed_remove(&b->requests, rq);
		rest.place.sector += v->nr_sector;
		rest.nr -= v->nr_sector;
		rq = keyed_get(&b->requests, &rest.place, NULL);
		if (rq)
			*rq = rest;
		return;
	}
	finish(b, rq, step->t_ns, v->error);
	keyed_remove(&b->requests, keyed_find(&b->requests, &place));
}

static void
on_dump(struct kernel_block *b, const struct step *step)
{
	const struct values *v = step->values;
	struct block_device *d = device(b, v->dev);
	struct fact fact = { .type = FACT_ENTITY, .kind = "block.device", .start_ns = step->t_ns };
	char name[sizeof d->name];

	text_copy(name, sizeof name, &v->name);
	if (!d || streq(d->name, name))
		return;
	memcpy(d->name, name, sizeof name);
	snprintf(fact.key, sizeof fact.key, "%u:%u", BLOCK_MAJOR(v->dev), BLOCK_MINOR(v->dev));
	fact.attributes = json_pack("{s:s, s:i, s:i, s:s}", "name", name, "major",
				    (int) BLOCK_MAJOR(v->dev), "minor", (int) BLOCK_MINOR(v->dev),
				    "source", "lttng_statedump_block_device");
	if (fact.attributes)
		native_tell(step, &fact);
}

/* -- Windows ------------------------------------------------------------------------ */

static void
tell_slow(struct kernel_block *b, const struct step *step)
{
	for (uint32_t i = 0; i < b->n_slow; i++) {
		const struct request *rq = &b->slow[i].request;
		struct fact fact = {
			.type = FACT_SPAN, .kind = "block.request", .start_ns = rq->queued_ns,
			.end_ns = b->slow[i].done_ns, .status = b->slow[i].error ? "error" : "ok",
		};
		struct text name = { rq->owner.name, strlen(rq->owner.name) };
		json_t *comm = json_stringn(name.s, name.size);

		snprintf(fact.key, sizeof fact.key, "%u:%u/%" PRIu64, BLOCK_MAJOR(rq->place.dev),
			 BLOCK_MINOR(rq->place.dev), rq->place.sector);
		fact.attributes = json_pack(
			"{s:s, s:I, s:I, s:I, s:o, s:I, s:I}", "op",
			op_of(rq->rwbs) == BLOCK_WRITE ? "write" : "read", "bytes",
			(json_int_t) rq->bytes, "tid", (json_int_t) rq->owner.tid, "pid",
			(json_int_t) rq->owner.pid, "name", comm ? comm : json_null(), "queue_ns",
			(json_int_t) (rq->issue_ns - MIN(rq->queued_ns, rq->issue_ns)), "service_ns",
			(json_int_t) (b->slow[i].done_ns - rq->issue_ns));
		native_tell(step, &fact);
	}
	b->n_slow = 0;
}

static void
count_in_flight(struct kernel_block *b)
{
	for (uint32_t i = 0; i < b->requests.n; i++) {
		const struct request *rq = keyed_at(&b->requests, i);
		struct block_device *d = keyed_find(&b->sum.devices, &rq->place.dev);

		if (d)
			d->in_flight++;
	}
}

/* Bios that end without a request (of devices made of memory, or of programs)
 * are never heard of again. */
static void
forget_old(struct kernel_block *b, uint64_t t_ns)
{
	if (b->bios.n < MAX_BIOS / 2)
		return;
	for (uint32_t i = b->bios.n; i-- > 0; ) {
		struct bio *bio = keyed_at(&b->bios, i);

		if (t_ns - MIN(bio->queued_ns, t_ns) > BIO_AGE_NS)
			keyed_remove(&b->bios, bio);
	}
}

static void
tell_window(struct kernel_block *b, const struct step *step)
{
	_cleanup_(buf_done) struct buf blob = { 0 };
	struct fact fact = {
		.type = FACT_WINDOW, .kind = "block", .key = "-", .start_ns = b->window_ns,
		.end_ns = b->window_ns + WINDOW_NS,
	};

	if (!b->active)
		return;
	count_in_flight(b);
	forget_old(b, step->t_ns);
	block_sum_write(&b->sum, false, &blob);
	fact.blob = blob.data;
	fact.blob_size = blob.size;
	native_tell(step, &fact);
	for (uint32_t i = 0; i < b->sum.devices.n; i++)
		block_device_clear(keyed_at(&b->sum.devices, i));
	keyed_clear(&b->sum.owners);
	b->sum.late = b->sum.capped = b->sum.lost = 0;
	b->active = false;
}

static void
block_watermark(void *state, const struct step *step)
{
	struct kernel_block *b = state;

	tell_window(b, step);
	if (step->t_ns >= b->period_ns + SLOW_PERIOD_NS) {
		tell_slow(b, step);
		b->period_ns = step->t_ns / SLOW_PERIOD_NS * SLOW_PERIOD_NS;
	}
	/* Without anything to tell, the next event opens one. */
	b->window_ns = b->active || b->n_slow ? step->t_ns : 0;
	step_wake(step, b->window_ns ? step->t_ns + WINDOW_NS : 0);
	b->changed = true;
}

static void
block_event(void *state, const struct step *step, unsigned event)
{
	static void (*const handlers[])(struct kernel_block *b, const struct step *step) = {
		[BIO_QUEUE] = on_bio_queue, [BIO_REMAP] = on_remap, [BIO_SPLIT] = on_split,
		[BACK_MERGE] = on_merge, [FRONT_MERGE] = on_merge, [RQ_MERGE] = on_request_merge,
		[RQ_INSERT] = on_insert, [RQ_ISSUE] = on_issue, [RQ_COMPLETE] = on_complete, [DUMP] = on_dump,
	};
	struct kernel_block *b = state;

	b->changed = true;
	if (step->late) {
		b->sum.late++;
		return;
	}
	if (!b->window_ns) {
		b->window_ns = step->t_ns / WINDOW_NS * WINDOW_NS;
		if (!b->n_slow)
			b->period_ns = step->t_ns / SLOW_PERIOD_NS * SLOW_PERIOD_NS;
		step_wake(step, b->window_ns + WINDOW_NS);
	}
	if (handlers[event])
		handlers[event](b, step);
}

/* What was under way may be over, and what is over may be under way. */
static void
block_loss(void *state, const struct step *step, const struct ctf_loss *loss)
{
	struct kernel_block *b = state;

	b->sum.lost += b->requests.n + b->bios.n;
	keyed_clear(&b->bios);
	keyed_clear(&b->requests);
	b->changed = true;
}

static void
block_end(void *state, const struct step *step)
{
	tell_slow(state, step);
}

static void
block_start(void *state, const struct step *step)
{
	struct kernel_block *b = state;

	block_sum_init(&b->sum);
	b->bios = KEYED(struct bio, place, MAX_BIOS);
	b->requests = KEYED(struct request, place, MAX_REQUESTS);
	b->chains = KEYED(struct chain, upper, MAX_CHAINS);
	b->chains.key_size = sizeof(struct chain);
}

static void
block_stop(void *state)
{
	struct kernel_block *b = state;

	block_sum_done(&b->sum);
	keyed_done(&b->bios);
	keyed_done(&b->requests);
	keyed_done(&b->chains);
}

/* -- Checkpoints -------------------------------------------------------------------- */

/* Two records: the open window as its blob, and what is under way. */
enum { KEY_WINDOW = 1, KEY_STATE = 2 };

struct saved {
	uint64_t window_ns, period_ns, active;
	uint32_t n_bios, n_requests, n_chains, n_slow;
};

static void
block_save(void *state, void (*put)(void *context, uint64_t key, const void *record, size_t size),
	   void *context)
{
	struct kernel_block *b = state;
	_cleanup_(buf_done) struct buf buf = { 0 };
	const struct saved saved = {
		.window_ns = b->window_ns, .period_ns = b->period_ns, .active = b->active,
		.n_bios = b->bios.n, .n_requests = b->requests.n, .n_chains = b->chains.n,
		.n_slow = b->n_slow,
	};

	if (!b->changed)
		return;
	b->changed = false;
	block_sum_write(&b->sum, true, &buf);
	put(context, KEY_WINDOW, buf.data, buf.size);
	buf_clear(&buf);
	buf_add(&buf, &saved, sizeof saved);
	for (uint32_t i = 0; i < b->bios.n; i++)
		buf_add(&buf, keyed_at(&b->bios, i), sizeof(struct bio));
	for (uint32_t i = 0; i < b->requests.n; i++)
		buf_add(&buf, keyed_at(&b->requests, i), sizeof(struct request));
	for (uint32_t i = 0; i < b->chains.n; i++)
		buf_add(&buf, keyed_at(&b->chains, i), sizeof(struct chain));
	buf_add(&buf, b->slow, b->n_slow * sizeof *b->slow);
	put(context, KEY_STATE, buf.data, buf.size);
}

static bool
owner_valid(const struct owner *owner)
{
	return memchr(owner->name, 0, sizeof owner->name) != NULL;
}

static bool
restore_table(struct keyed *table, uint32_t n, const char **at)
{
	for (uint32_t i = 0; i < n; i++, *at += table->size) {
		bool is_new;
		void *record = keyed_get(table, *at, &is_new);

		if (!record || !is_new)
			return false;
		memcpy(record, *at, table->size);
	}
	return true;
}

static int
restore_state(struct kernel_block *b, const char *at, size_t size)
{
	struct saved saved;

	if (size < sizeof saved)
		return -EINVAL;
	memcpy(&saved, at, sizeof saved);
	at += sizeof saved;
	if (saved.n_bios > MAX_BIOS || saved.n_requests > MAX_REQUESTS || saved.n_chains > MAX_CHAINS ||
	    saved.n_slow > MAX_SLOW_ALL || saved.active > 1 || saved.window_ns % WINDOW_NS ||
	    size != sizeof saved + saved.n_bios * sizeof(struct bio) +
		    saved.n_requests * sizeof(struct request) + saved.n_chains * sizeof(struct chain) +
		    saved.n_slow * sizeof(struct slow))
		return -EINVAL;
	if (!restore_table(&b->bios, saved.n_bios, &at) ||
	    !restore_table(&b->requests, saved.n_requests, &at) ||
	    !restore_table(&b->chains, saved.n_chains, &at))
		return -EINVAL;
	memcpy(b->slow, at, saved.n_slow * sizeof *b->slow);
	b->n_slow = saved.n_slow;
	for (uint32_t i = 0; i < b->bios.n; i++)
		if (!owner_valid(&((struct bio *) keyed_at(&b->bios, i))->owner))
			return -EINVAL;
	for (uint32_t i = 0; i < b->requests.n; i++)
		if (!owner_valid(&((struct request *) keyed_at(&b->requests, i))->owner))
			return -EINVAL;
	for (uint32_t i = 0; i < b->n_slow; i++)
		if (!owner_valid(&b->slow[i].request.owner) ||
		    b->slow[i].done_ns < b->slow[i].request.issue_ns)
			return -EINVAL;
	b->window_ns = saved.window_ns;
	b->period_ns = saved.period_ns;
	b->active = saved.active;
	return 0;
}

static int
block_restore(void *state, uint64_t key, const void *record, size_t size)
{
	struct kernel_block *b = state;
	const struct fact_window window = { .blob = record, .size = size };

	if (key == KEY_WINDOW)
		return block_sum_add(&b->sum, &window);
	return key == KEY_STATE ? restore_state(b, record, size) : -EINVAL;
}

static size_t
block_bytes(const void *state)
{
	const struct kernel_block *b = state;

	return b->bios.capacity * sizeof(struct bio) + b->requests.capacity * sizeof(struct request) +
		b->sum.devices.capacity * (sizeof(struct block_device) + 4096) +
		b->sum.owners.capacity * sizeof(struct block_owner);
}

static const struct native native = {
	.events = events,
	.state_size = sizeof(struct kernel_block),
	.start = block_start,
	.stop = block_stop,
	.event = block_event,
	.loss = block_loss,
	.watermark = block_watermark,
	.end = block_end,
	.save = block_save,
	.restore = block_restore,
	.bytes = block_bytes,
};

const struct analyzer kernel_block_analyzer = {
	.name = "kernel_block",
	.summary = "Requests to disks: whose, how long in the queue and in the device",
	.version = 1,
	.roles = ROLE_COMPUTE | ROLE_STORAGE,
	.kernel = true,
	.rules = no_rules,
	.native = &native,
};
