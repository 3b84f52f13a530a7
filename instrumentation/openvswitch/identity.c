// SPDX-License-Identifier: GPL-2.0-only
/*
 * identity.c -- tags in the tail room, and the table of those that are away.
 *
 * A tag is 16 bytes after the packet's last linear byte, before the end of its
 * buffer: no part of the packet, so nobody sends or checks it, but it goes
 * where the buffer goes: through veth, patch ports, clones.  It counts only
 * with the right hash and while it is young, so that what an earlier packet
 * left in the same memory is not taken for this one's.
 *
 * It is written only where no other packet shares the buffer's linear part:
 * the bytes after the end of a shortened clone are the other one's data.
 */
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/spinlock.h>

#include "counters.h"
#include "identity.h"

#define TAG_MAGIC	0x4c54764fU
#define SEQ_BITS	48
#define TICK_MS		64	/* the stamp's unit: 16 bits go round in 70 minutes */
#define YOUNG_TICKS	32	/* 2 s */
#define WAYS		4	/* packets of a bucket */
#define AWAY_MAX	(10 * HZ)

struct tail_tag {
	u32 magic;
	u32 hash;
	u64 seq;		/* the stamp above, the number in SEQ_BITS below */
} __packed;

struct away {
	u32 hash;
	unsigned long since;	/* jiffies */
	u64 tag;		/* 0: free */
};

static struct away (*away)[WAYS];
static unsigned int n_buckets;		/* a power of 2 */
static DEFINE_RAW_SPINLOCK(away_lock);
static atomic64_t last_seq;

static u16 stamp_now(void)
{
	return (u16)(jiffies_to_msecs(jiffies) / TICK_MS);
}

static bool has_room(const struct sk_buff *skb)
{
	return skb_end_pointer(skb) - skb_tail_pointer(skb) >= (long)sizeof(struct tail_tag);
}

void identity_read(struct ovs_packet *packet, const struct sk_buff *skb)
{
	struct tail_tag tag;

	packet->tag = 0;
	packet->tag_state = TAG_NONE;
	if (!has_room(skb))
		return;
	memcpy(&tag, skb_tail_pointer(skb), sizeof(tag));
	if (tag.magic != TAG_MAGIC || tag.hash != packet->hash)
		return;
	if ((u16)(stamp_now() - (u16)(tag.seq >> SEQ_BITS)) > YOUNG_TICKS) {
		count(stale);
		return;
	}
	packet->tag = tag.seq & (BIT_ULL(SEQ_BITS) - 1);
	packet->tag_state = TAG_READ;
}

static bool write_tag(const struct ovs_packet *packet, struct sk_buff *skb)
{
	const struct tail_tag tag = {
		.magic = TAG_MAGIC,
		.hash = packet->hash,
		.seq = (u64)stamp_now() << SEQ_BITS | packet->tag,
	};

	if (!has_room(skb)) {
		count(noroom);
		return false;
	}
	if (skb_header_cloned(skb)) {
		count(shared);
		return false;
	}
	memcpy(skb_tail_pointer(skb), &tag, sizeof(tag));
	return true;
}

void identity_make(struct ovs_packet *packet, struct sk_buff *skb)
{
	packet->tag = atomic64_inc_return(&last_seq) & (BIT_ULL(SEQ_BITS) - 1);
	packet->tag_state = TAG_UNWRITTEN;
	if (write_tag(packet, skb)) {
		packet->tag_state = TAG_NEW;
		count(tagged);
	}
}

void identity_restore(const struct ovs_packet *packet, struct sk_buff *skb)
{
	if (write_tag(packet, skb))
		count(restored);
}

static bool is_live(const struct away *entry)
{
	return entry->tag && time_before(jiffies, entry->since + AWAY_MAX);
}

void identity_keep(const struct ovs_packet *packet)
{
	struct away *bucket = away[packet->hash & (n_buckets - 1)], *entry = bucket;
	unsigned long flags;
	unsigned int i;

	raw_spin_lock_irqsave(&away_lock, flags);
	for (i = 0; i < WAYS; i++) {
		if (bucket[i].tag && bucket[i].hash == packet->hash) {
			entry = &bucket[i];
			break;
		}
		if (!is_live(&bucket[i]) || (is_live(entry) &&
					     time_before(bucket[i].since, entry->since)))
			entry = &bucket[i];
	}
	if (is_live(entry) && entry->hash != packet->hash)
		count(displaced);
	*entry = (struct away) { packet->hash, jiffies, packet->tag };
	raw_spin_unlock_irqrestore(&away_lock, flags);
	count(kept);
}

/* The entry stays: one upcall may be executed more than once. */
bool identity_find(struct ovs_packet *packet)
{
	const struct away *bucket = away[packet->hash & (n_buckets - 1)];
	unsigned long flags;
	unsigned int i;
	u64 tag = 0;

	raw_spin_lock_irqsave(&away_lock, flags);
	for (i = 0; i < WAYS && !tag; i++)
		if (bucket[i].hash == packet->hash && is_live(&bucket[i]))
			tag = bucket[i].tag;
	raw_spin_unlock_irqrestore(&away_lock, flags);
	if (!tag) {
		count(unknown);
		return false;
	}
	packet->tag = tag;
	packet->tag_state = TAG_RECOVERED;
	return true;
}

int identity_init(unsigned int slots)
{
	n_buckets = roundup_pow_of_two(clamp(slots, 64U, 65536U)) / WAYS;
	away = kvcalloc(n_buckets, sizeof(*away), GFP_KERNEL);
	return away ? 0 : -ENOMEM;
}

void identity_exit(void)
{
	kvfree(away);
}
