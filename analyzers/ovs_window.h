/* SPDX-License-Identifier: MIT
 *
 * ovs_window.h -- what went through the Open vSwitch of one host in an interval
 * (FACT_WINDOW of kind "ovs"): counters, latencies by component and by path, ports,
 * conversations, drops, commands.
 *
 * The analyzer fills one and writes it as bytes; the daemon reads them back and
 * adds them up, to answer and to thin out.  The sum of two is exact. */
#ifndef ANALYZERS_OVS_WINDOW_H
#define ANALYZERS_OVS_WINDOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/histogram.h"
#include "lib/keyed.h"

/* A port: its number, which is given again once the port is gone and which each
 * datapath has of its own, and the index of its interface (low half; 0: not known),
 * which tells those apart. */
#define OVS_NO_PORT UINT32_MAX   /* Not known, or none. */
#define OVS_PORT_NUMBER(PORT) ((PORT) & 0xffff)
static inline uint32_t
ovs_port_of(uint64_t port_no, int64_t ifindex)
{
	return port_no < 0xffff ? (uint32_t) port_no | (uint32_t) ifindex << 16 : OVS_NO_PORT;
}


enum ovs_counter {
	OVS_SOURCES,             /* Bits: 1 our module's events, 2 kprobes. */
	OVS_RECEIVED, OVS_RECEIVED_BYTES,
	OVS_SENT, OVS_SENT_BYTES,
	OVS_PACKETS,             /* Each counted once, over how many bridges it may go. */
	OVS_ACROSS,              /* That came to a second bridge. */
	OVS_TWO_IDENTITIES,      /* Tags seen on two different packets. */
	OVS_LOOKUPS, OVS_HITS, OVS_MISSES,
	OVS_MASKS,               /* Masks tried by lookups. */
	OVS_CACHE_HITS,
	OVS_UPCALLS, OVS_UPCALLS_MISS, OVS_UPCALLS_ACTION,
	OVS_UPCALLS_REFUSED,     /* The socket did not take them. */
	OVS_UPCALLS_ANSWERED,    /* Executes that could be told whose they are. */
	OVS_UPCALLS_UNANSWERED,  /* No execute within OVS_UPCALL_MAX_NS. */
	OVS_READS,               /* Upcalls seen to be read by ovs-vswitchd. */
	OVS_WAITING_MAX,         /* Most upcalls under way at once. */
	OVS_EXECUTES, OVS_EXECUTES_UNKNOWN,
	OVS_FLOWS_ADDED, OVS_FLOWS_REMOVED,
	OVS_DROPPED,
	OVS_UNPAIRED,            /* Sends whose receive is not known for sure. */
	/* What limits made us forget, and what the trace lost: */
	OVS_EVICTED_PACKETS, OVS_EVICTED_ADDRESSES, OVS_EVICTED_CONVERSATIONS,
	OVS_EVICTED_PATHS, OVS_EVICTED_OTHERS,
	OVS_LOST_EVENTS, OVS_LATE_EVENTS,  /* Late ones are not used. */
	OVS_N_COUNTERS
};
enum { OVS_BY_MODULE = 1, OVS_BY_KPROBES = 2 };

enum ovs_component {
	OVS_FAST,                /* Receive to send, by a flow in the table. */
	OVS_SLOW,                /* Receive to send, through ovs-vswitchd. */
	OVS_JOURNEY,             /* First receive to last send, over all bridges. */
	OVS_LOOKUP,
	OVS_ACTIONS,
	OVS_ENQUEUE,             /* Upcall's begin until it is in the socket's queue. */
	OVS_WAIT,                /* In the queue, until ovs-vswitchd read it. */
	OVS_SERVICE,             /* Read until ovs-vswitchd gave the packet back. */
	OVS_UPCALL,              /* Upcall's begin until the packet came back. */
	OVS_REINJECT,            /* Packet came back until it was sent. */
	OVS_FLOW_PUT,            /* In the kernel, for a new flow. */
	OVS_N_COMPONENTS
};
extern const char *const ovs_counter_names[OVS_N_COUNTERS];
extern const char *const ovs_component_names[OVS_N_COMPONENTS];

struct ovs_path {
	struct { uint32_t in_port, out_port, slow; } key;
	uint32_t spare;
	uint64_t packets, bytes;
	struct histogram latency;    /* Of those whose receive is known. */
};

struct ovs_port {
	uint32_t port;
	int32_t ifindex;             /* 0: not known. */
	char ifname[16];             /* "": not known. */
	uint64_t received, received_bytes, sent, sent_bytes, dropped;
};

/* Between two addresses, on one crossing of the host's bridges. */
struct ovs_conversation {
	struct {
		uint8_t src_mac[6], dst_mac[6];
		uint32_t saddr, daddr;       /* 0: not known, or no IPv4. */
		uint32_t in_port, out_port;  /* OVS_NO_PORT out: was not sent. */
		uint16_t eth_type;
		uint8_t l4_proto, hop;       /* Which bridge of its way, from 1. */
	} key;
	uint32_t slow;               /* Of the packets. */
	uint64_t packets, bytes, lost;
	struct histogram latency;
};

enum ovs_place { OVS_AT_LOOKUP, OVS_AT_UPCALL, OVS_AT_VSWITCHD, OVS_AT_ACTIONS, OVS_AT_OUTPUT,
		 OVS_AT_KERNEL, OVS_N_PLACES };
extern const char *const ovs_place_names[OVS_N_PLACES];
struct ovs_drop {
	struct { uint32_t place, reason, in_port, out_port; } key; /* reason: errno, or the skb's. */
	uint64_t count;
};

enum ovs_op { OVS_FLOW_NEW, OVS_FLOW_SET, OVS_FLOW_DEL, OVS_VPORT_NEW, OVS_VPORT_DEL, OVS_DP_NEW,
	      OVS_EXECUTE, OVS_VPORT_SET, OVS_DP_SET, OVS_DP_DEL, OVS_N_OPS };
extern const char *const ovs_op_names[OVS_N_OPS];
struct ovs_command {
	struct { uint32_t op; char comm[16]; } key;
	uint32_t spare;
	uint64_t count, failed;
	struct histogram took;       /* Where its end was seen. */
};

struct ovs_window {
	uint64_t counters[OVS_N_COUNTERS];
	struct histogram components[OVS_N_COMPONENTS];
	struct keyed paths, ports, conversations, drops, commands;
};

enum {
	OVS_MAX_PATHS = 1024, OVS_MAX_PORTS = 1024, OVS_MAX_CONVERSATIONS = 2048,
	OVS_MAX_DROPS = 256, OVS_MAX_COMMANDS = 256,
	OVS_TOP_CONVERSATIONS = 64,  /* By bytes; and a quarter of it by latency and by loss. */
};

void ovs_window_init(struct ovs_window *window);
void ovs_window_done(struct ovs_window *window);
/* Empties it and keeps most of its memory. */
void ovs_window_clear(struct ovs_window *window);
bool ovs_window_empty(const struct ovs_window *window);
/* Bytes that it holds, about. */
size_t ovs_window_size(const struct ovs_window *window);

/* Records of a window, made when needed; NULL when its limit is reached. */
struct ovs_path *ovs_window_path(struct ovs_window *window, uint32_t in, uint32_t out, bool slow);
struct ovs_port *ovs_window_port(struct ovs_window *window, uint32_t port);

/* Leaves only the conversations that matter (OVS_TOP_CONVERSATIONS). */
void ovs_window_trim(struct ovs_window *window);
void ovs_window_merge(struct ovs_window *window, const struct ovs_window *other);
/* As bytes; sorts the records. */
void ovs_window_write(struct ovs_window *window, struct buf *out);
/* Reads them back into an initialized window, replacing its contents.  -EINVAL
 * (empty then) for what ovs_window_write() can't have written. */
int ovs_window_read(struct ovs_window *window, const void *bytes, size_t size);

/* Whether it was told by kprobes alone, which know no packet. */
bool ovs_window_by_kprobes(const struct ovs_window *window);

/* ovs_json.c: as JSON (new references), parts and all; "", no port, and what kprobes
 * can't know are null. */
json_t *ovs_window_json(const struct ovs_window *window);
json_t *ovs_counters_json(const struct ovs_window *window);
json_t *ovs_components_json(const struct ovs_window *window);
json_t *ovs_path_json(const struct ovs_path *path);
json_t *ovs_conversation_json(const struct ovs_conversation *conversation);
json_t *ovs_port_json(const struct ovs_port *port);
json_t *ovs_drop_json(const struct ovs_drop *drop);
json_t *ovs_command_json(const struct ovs_window *window, const struct ovs_command *command);
json_t *ovs_histogram_json(const struct histogram *histogram);
json_t *ovs_text_json(const char *text);
json_t *ovs_number_json(uint32_t port);
json_t *ovs_mac_json(const uint8_t mac[6]);
json_t *ovs_ip_json(uint32_t ip);
enum { OVS_MAC_TEXT = 18 };
void ovs_mac_text(const uint8_t mac[6], char text[OVS_MAC_TEXT]);

#endif /* ovs_window.h */
