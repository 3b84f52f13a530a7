#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Two sessions of one node with channels of the same name, at the same time: a node with two roles, or a
session that was made again.  LTTng's paths do not tell their streams apart; the daemon has to."""
import os
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import Lab, Tap, wait_for  # noqa: E402
from producer import Producer, Stream  # noqa: E402

METADATA = """/* CTF 1.8 */
typealias integer { size = 8; align = 8; signed = false; } := uint8_t;
typealias integer { size = 32; align = 8; signed = false; } := uint32_t;
typealias integer { size = 64; align = 8; signed = false; } := uint64_t;
trace {
	major = 1; minor = 8; uuid = "%(uuid)s"; byte_order = le;
	packet.header := struct { uint32_t magic; uint8_t uuid[16]; uint32_t stream_id; };
};
env { hostname = "node"; domain = "ust"; tracer_name = "lttng-ust"; tracer_major = 2; tracer_minor = 13; };
clock { name = "monotonic"; uuid = "11111111-2222-3333-4444-555555555555"; freq = 1000000000;
	offset_s = %(now)d; };
typealias integer { size = 64; align = 8; signed = false; map = clock.monotonic.value; } := time_t;
stream {
	id = 0;
	event.header := struct { uint32_t id; time_t timestamp; };
	packet.context := struct {
		time_t timestamp_begin; time_t timestamp_end; uint64_t content_size; uint64_t packet_size;
		uint64_t packet_seq_num; uint64_t events_discarded; uint32_t cpu_id;
	};
};
event { name = "a:b"; id = 0; stream_id = 0; fields := struct { uint32_t n; }; };
"""
UUIDS = "aaaaaaaa-0000-0000-0000-000000000001", "aaaaaaaa-0000-0000-0000-000000000002"
tap = Tap()


class Node(Producer):
    """Gives paths as newer sessiond do: without host and session."""

    def add_stream(self, path, channel):
        reply = self.command(1, struct.pack(">264s4096sQQ", channel.encode(), path.encode(), 0, 0), 12)
        return Stream(struct.unpack(">QI", reply)[0], channel)


class Ports:
    def __init__(self, lab):
        self.control, self.data = lab.ctrl, lab.data


def live(lab):
    return sum(s["state"] == "live" for n in lab.json("node", "list") for s in n["sources"])


def run(uuids, what):
    with Lab() as lab:
        lab.relayd()
        daemon = lab.daemon()
        sessions = []
        for name, uuid in zip(("compute", "network"), uuids):
            producer = Node(Ports(lab), name)
            _, streams = producer.add_trace("ust/uid/0/64-bit", ["c_0", "c_1"],
                                            METADATA % {"uuid": uuid, "now": time.time()})
            sessions.append((producer, streams))
        for tick in range(1, 31):
            for producer, streams in sessions:
                for stream in streams:
                    producer.beacon(stream, tick * 100000000)
            time.sleep(0.05)
        tap.ok(daemon.poll() is None and wait_for(lambda: live(lab) == 2, 10), f"{what}: both are live",
               lab.log("cloudtraced.log")[-2000:])
        for producer, _ in sessions:
            producer.close()
        time.sleep(0.3)
        daemon.terminate()
        tap.same(daemon.wait(20), 0, f"{what}: the daemon ends well")


run(UUIDS, "two sessions")
run(UUIDS[:1] * 2, "the same trace twice")
tap.done()
