/* SPDX-License-Identifier: MIT
 *
 * ovs.h -- what the parts of the Open vSwitch analyzer share: the state of one
 * host.  Nobody else includes it, but tests.
 *
 *   ovs.c            events in, windows out, checkpoints
 *   ovs_packets.c    the life of each packet by its tag
 *   ovs_upcalls.c    packets that wait for ovs-vswitchd, and its threads
 *   ovs_kprobes.c    the same from plain kprobes, packets without identity
 *   ovs_addresses.c  which address is behind which port
 *   ovs_control.c    commands of ovs-vswitchd, storms
 *
 * All tables have a fixed size; what they have to forget is counted. */
#ifndef ANALYZERS_OVS_H
#define ANALYZERS_OVS_H

#include "analyzers/analyzer.h"
#include "analyzers/ovs_window.h"
#include "lib/clock.h"

#define OVS_WINDOW_NS NS_PER_S          /* Of a FACT_WINDOW. */
#define OVS_SLOW_WINDOW_NS (10 * NS_PER_S)
#define OVS_PACKET_MAX_NS (2 * NS_PER_S) /* A tag is older than that: another packet. */
#define OVS_UPCALL_MAX_NS (10 * NS_PER_S)
#define OVS_TELL_AGAIN_NS (60 * NS_PER_S) /* An address that is only heard again. */

enum {
	OVS_MAX_PACKETS = 8192,      /* Followed at once; a power of two. */
	OVS_MAX_STEPS = 24,          /* Of one crossing; what comes after is counted. */
	OVS_MAX_QUEUES = 256,        /* Sockets (or CPUs) that upcalls go to. */
	OVS_QUEUE_LENGTH = 64,       /* Upcalls of one that are followed. */
	OVS_MAX_THREADS = 256,       /* Of ovs-vswitchd and others who give commands. */
	OVS_MAX_CPUS = 1024,
	OVS_ADDRESS_SETS = 512, OVS_ADDRESS_WAYS = 8,
	OVS_MAX_IPS = 4,
	OVS_N_SLOW = 4,              /* Packets kept whole, per OVS_SLOW_WINDOW_NS. */
};

/* -- Packets ----------------------------------------------------------------- */

enum ovs_step_what { OVS_STEP_RECEIVE, OVS_STEP_LOOKUP, OVS_STEP_HIT, OVS_STEP_MISS,
		     OVS_STEP_ACTIONS, OVS_STEP_UPCALL, OVS_STEP_QUEUED, OVS_STEP_READ,
		     OVS_STEP_EXECUTE, OVS_STEP_OUTPUT, OVS_STEP_SEND, OVS_STEP_DONE,
		     OVS_STEP_REFUSED, OVS_STEP_FREED };
extern const char *const ovs_step_names[];

struct ovs_step {
	uint64_t t_ns;
	uint32_t what, port;
};

enum {
	PACKET_THERE = 1,            /* The slot is in use. */
	PACKET_SLOW = 2,             /* This crossing went through ovs-vswitchd. */
	PACKET_WAITING = 4,          /* Is with ovs-vswitchd. */
	PACKET_DONE = 8,             /* Its actions are over. */
	PACKET_LOOKED_UP = 16,
	PACKET_DROPPED = 32,         /* Counted as such. */
	PACKET_NO_RECEIVE = 64,      /* Came from user space, or its receive was lost. */
	PACKET_KPROBES = 128,        /* Has no address and no port. */
	PACKET_REFUSED = 256,        /* By a port that it was to be sent to. */
};

/* One packet on its way, and the bridge that it is in (a crossing). */
struct ovs_packet {
	uint64_t seq;                /* Counts all; the slot is seq % OVS_MAX_PACKETS. */
	uint64_t id;                 /* Tag, else the skb's address. */
	uint64_t skb;
	uint64_t first_ns;           /* First receive. */
	uint64_t receive_ns, lookup_ns, actions_ns;  /* Of this crossing. */
	uint64_t upcall_ns, queued_ns, read_ns, execute_ns;
	uint64_t sent_ns;            /* Last send. */
	uint64_t last_ns;
	uint64_t queue;              /* That its upcall went to. */
	uint32_t in_port, out_port, pending_port;
	uint32_t len, hash;
	uint32_t saddr, daddr;
	uint32_t sends;              /* In this crossing. */
	int32_t cpu;                 /* Of the last event. */
	uint16_t eth_type, flags;
	uint8_t l4_proto, hop, depth, spare;
	uint8_t src_mac[6], dst_mac[6];
	uint32_t n_steps, more_steps; /* Of this crossing; that had no place. */
	struct ovs_step steps[OVS_MAX_STEPS];  /* Must be last. */
};

/* A slow packet as it was when its actions were over. */
struct ovs_slow {
	uint64_t latency_ns;
	struct ovs_packet packet;
};

/* -- Upcalls ----------------------------------------------------------------- */

/* Where upcalls wait for a thread of ovs-vswitchd: a netlink socket, or with
 * kprobes all that we know, the CPU. */
#define OVS_CPU_QUEUE(CPU) (UINT64_C(1) << 32 | (uint32_t) (CPU))
struct ovs_queue {
	uint64_t id;
	int64_t tid;                 /* Who reads it; 0: not known. */
	uint32_t first, n;
	uint64_t seqs[OVS_QUEUE_LENGTH]; /* Packets that wait, oldest first. */
};

struct ovs_thread {
	uint64_t tid;
	uint64_t op_ns;              /* When its command began; 0: none is under way. */
	uint64_t put_ns;             /* kprobes: of a flow whose packet was not given back; 0: none. */
	uint32_t op;
	int32_t fd;                  /* That it is reading from. */
	int32_t upcall_fd;           /* That upcalls came from, by majority. */
	uint32_t fd_votes;
	uint32_t reads_upcalls;
	uint32_t executing;          /* kprobes: inside of the command that gives a packet back. */
	char comm[16];
};

/* -- Addresses --------------------------------------------------------------- */

struct ovs_address {
	uint8_t mac[6];
	uint8_t used, announced, many_ips, changed, untold, n_ips;
	uint32_t port;
	int32_t ifindex;
	char ifname[16];
	uint64_t since_ns;           /* First heard at this port. */
	uint64_t forwarded_ns;       /* First packet from it that was sent on. */
	uint64_t traffic_ns;         /* The same, announcements (RARP) not counted. */
	uint64_t last_ns;            /* Last heard. */
	uint64_t told_ns;
	uint32_t ips[OVS_MAX_IPS];
	uint64_t unanswered;         /* Packets to it since it was last heard. */
	uint64_t unanswered_ns;      /* When the last of these was. */
	uint32_t pid, votes, heard;  /* Process that sends for it, by majority. */
	/* Where it was before: */
	uint32_t from_port;          /* OVS_NO_PORT: it did not move. */
	char from_ifname[16];
	uint64_t from_last_ns, from_traffic_ns, from_unanswered, from_unanswered_ns;
	uint64_t strays, strays_ns;  /* That still went there after it moved; when the last. */
	uint64_t traffic_last_ns;    /* Last heard with something else than an announcement. */
};

/* -- All --------------------------------------------------------------------- */

struct ovs_cpu {
	uint64_t seq;                /* Packet that it is working on, + 1; 0: none. */
	int32_t tid;
	bool in_upcall;
};

struct ovs_storm {
	uint64_t start_ns, end_ns;   /* start 0: none. */
	uint64_t upcalls, misses, lookups, peak;
};

/* What a checkpoint keeps of the rest, in one record. */
struct ovs_main {
	uint64_t next_seq, oldest_seq;
	uint64_t window_ns;          /* Start of the open window; 0: none. */
	uint64_t slow_ns;            /* The same, of the slow packets. */
	uint64_t loss_ns;            /* Last loss: what was open then proves nothing. */
	uint64_t late, lost;         /* Events, for the next window. */
	uint32_t waiting, sources;
	struct ovs_storm storm;
};

struct ovs {
	struct ovs_main main;
	struct ovs_packet *packets;  /* OVS_MAX_PACKETS. */
	unsigned char *packet_changed;  /* 1: since the last save; 2: is in the checkpoint. */
	struct keyed by_id;          /* struct ovs_index. */
	struct keyed by_skb;
	struct keyed queues, threads;
	struct ovs_cpu *cpus;        /* OVS_MAX_CPUS. */
	struct ovs_address *addresses;  /* Sets one after the other. */
	struct ovs_port ports[OVS_MAX_PORTS];  /* The last of each number, where that is small. */
	struct ovs_window window;
	struct ovs_slow slow[OVS_N_SLOW];
	unsigned n_slow;
	bool slow_saved;             /* Some are in the checkpoint. */
	uint32_t queues_saved, threads_saved;  /* Records in the checkpoint. */
};

/* Fields of ovs_packet_receive and _send. */
struct ovs_packet_fields {
	uint64_t tag, tag_state, skbaddr, port_no, len, eth_type, saddr, daddr, l4_proto, pkt_hash;
	int64_t ifindex, tid, pid;
	struct text ifname, src_mac, dst_mac, comm;
};
/* Of the events with less. */
struct ovs_brief_fields {
	uint64_t tag, skbaddr, a, b, c;
	int64_t ret;
};
struct ovs_upcall_fields {
	uint64_t tag, skbaddr, cmd, portid, len, eth_type, l4_proto, saddr, daddr, pkt_hash;
	int64_t ret;
};
struct ovs_execute_fields {
	uint64_t tag;
	int64_t tid;
};
struct ovs_genl_fields {
	uint64_t phase;
	int64_t ret, tid;
	struct text op, name, comm;
};
/* Of system calls: 'value' is the descriptor, or what was returned. */
struct ovs_recvmsg_fields {
	int64_t tid, value;
};
struct ovs_kprobe_fields {
	int64_t tid;
	struct text comm;
};

#define COUNT(OVS, WHAT) ((OVS)->window.counters[OVS_##WHAT]++)
#define TOOK(OVS, WHAT, NS) histogram_add(&(OVS)->window.components[OVS_##WHAT], (NS))

static inline uint64_t
ovs_since(uint64_t t_ns, uint64_t then_ns)
{
	return t_ns > then_ns ? t_ns - then_ns : 0;
}

/* ovs_packets.c */
void ovs_packets_start(struct ovs *ovs);
struct ovs_packet *ovs_packet_of_seq(struct ovs *ovs, uint64_t seq);
struct ovs_packet *ovs_packet_find(struct ovs *ovs, uint64_t tag, uint64_t skb);
struct ovs_packet *ovs_packet_new(struct ovs *ovs, const struct step *step, uint64_t id);
void ovs_packet_step(struct ovs *ovs, struct ovs_packet *packet, const struct step *step,
		     enum ovs_step_what what, uint32_t port);
void ovs_packet_drop(struct ovs *ovs, struct ovs_packet *packet, enum ovs_place place,
		     uint32_t reason, uint32_t out_port);
/* A packet leaves by a port; 'packet' is NULL where it is not known. */
void ovs_packet_sent(struct ovs *ovs, struct ovs_packet *packet, const struct step *step,
		     uint32_t port, uint64_t len);
void ovs_packet_done(struct ovs *ovs, struct ovs_packet *packet, const struct step *step);
/* Forgets packets that are over; 'all': every one. */
void ovs_packets_expire(struct ovs *ovs, const struct step *step, bool all);
void ovs_slow_tell(struct ovs *ovs, const struct step *step);
void ovs_receive(struct ovs *ovs, const struct step *step);
void ovs_send(struct ovs *ovs, const struct step *step);
void ovs_lookup_begin(struct ovs *ovs, const struct step *step);
void ovs_lookup_end(struct ovs *ovs, const struct step *step);
void ovs_actions_begin(struct ovs *ovs, const struct step *step);
void ovs_actions_end(struct ovs *ovs, const struct step *step);
void ovs_output(struct ovs *ovs, const struct step *step);
void ovs_skb_kfree(struct ovs *ovs, const struct step *step);
/* Whether one from a checkpoint can be believed. */
bool ovs_packet_sound(const struct ovs_packet *packet);
int ovs_packet_restore(struct ovs *ovs, uint64_t slot, const void *record, size_t size);

/* ovs_upcalls.c */
void ovs_upcall_begin(struct ovs *ovs, const struct step *step);
void ovs_upcall_end(struct ovs *ovs, const struct step *step);
void ovs_execute(struct ovs *ovs, const struct step *step);
void ovs_recvmsg_entry(struct ovs *ovs, const struct step *step);
void ovs_recvmsg_exit(struct ovs *ovs, const struct step *step);
void ovs_usdt_read(struct ovs *ovs, const struct step *step);
struct ovs_thread *ovs_thread_get(struct ovs *ovs, uint64_t tid);
void ovs_upcall_wait(struct ovs *ovs, struct ovs_packet *packet, uint64_t queue);
void ovs_upcall_answered(struct ovs *ovs, struct ovs_packet *packet, const struct step *step,
			 struct ovs_thread *thread);
/* The oldest upcall of the queues of this thread (0: of all) that was not answered
 * or, if 'unread', not even read; NULL: none. */
struct ovs_packet *ovs_upcall_next(struct ovs *ovs, uint64_t tid, bool unread);
void ovs_upcall_forget(struct ovs *ovs, struct ovs_packet *packet);

/* ovs_kprobes.c */
enum ovs_kprobe { KP_RECEIVE, KP_LOOKUP, KP_ACTIONS, KP_SEND, KP_UPCALL, KR_UPCALL_ENTRY,
		  KR_UPCALL_EXIT, KP_EXECUTE, KR_EXECUTE_ENTRY, KR_EXECUTE_EXIT, KP_INSERT,
		  KP_REMOVE };
void ovs_kprobe(struct ovs *ovs, const struct step *step, enum ovs_kprobe what);

/* ovs_addresses.c */
void ovs_addresses_start(struct ovs *ovs);
void ovs_address_heard(struct ovs *ovs, const struct step *step,
		       const struct ovs_packet_fields *fields);
void ovs_address_forwarded(struct ovs *ovs, const struct step *step,
			   const struct ovs_packet *packet, uint32_t port);
void ovs_addresses_tell(struct ovs *ovs, const struct step *step, bool all);

/* ovs_control.c */
void ovs_genl_cmd(struct ovs *ovs, const struct step *step);
/* A command of kprobes: 'phase' 0 entry, 1 return, 2 a call of unknown length. */
void ovs_command(struct ovs *ovs, const struct step *step, enum ovs_op op, unsigned phase,
		 uint64_t tid, const struct text *comm, const struct text *name, int64_t ret,
		 bool has_ret);
void ovs_storm_window(struct ovs *ovs, const struct step *step, uint64_t from_ns, uint64_t to_ns);
void ovs_storm_end(struct ovs *ovs, const struct step *step);

/* ovs.c */
/* Where the last port of that number is, if it is that one. */
struct ovs_port *ovs_port_slot(struct ovs *ovs, uint32_t port);

#endif /* ovs.h */
