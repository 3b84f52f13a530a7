#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Recordings of several layers of the same operations against all that their truth.json says:
from the request over the instance to the processes, stages and reasons.  What is missing is
told as unknown, and nothing wrong is claimed of it.  "test_full.py DIR..." takes other recordings."""
import collections
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import ctf_cut  # noqa: E402
from harness import BUILD, CLOUDTRACED, Lab, Tap, corpus  # noqa: E402

SCENARIOS = ("full/fs-livemig-busy", "full/fs-livemig-fail", "full/fs-parallel", "full/kv-normal")
# Which of them are cut, too.
CUT = ("fs-livemig-busy", "kv-normal")
# All that can be done with those that were named.
WHOLE = len(sys.argv) > 1
NEAR_NS = 2000000
STATES = ("running_ns", "waiting_ns", "blocked_ns", "unknown_ns", "absent_ns")
STATUS = {"completed": ("completed",), "cancelled": ("cancelled",), "failed": ("failed",),
          "error": ("failed",)}
tap = Tap()


def traces_of(folder):
    inner = os.path.join(folder, "ctf")
    return inner if os.path.isdir(inner) else folder


def nodes_of(traces):
    return sorted(n for n in os.listdir(traces) if os.path.isdir(os.path.join(traces, n)))


class Read:
    """What a store tells of a recording: by the client, or straight by the protocol."""

    def __init__(self, lab, traces, store="store.db", client=True):
        self.lab, self.store = lab, store
        lab.read(traces, store=store)
        self.daemon = None if client else subprocess.Popen(
            [CLOUDTRACED, f"--store={lab.path(store)}", "--stdio"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        if self.daemon:
            lab.processes.append(self.daemon)
            self.daemon.stdout.readline()
        self.migrations = [self.show("migration", m["id"]) for m in self.list("migration")]
        self.flows = {f["id"]: self.show("flow", f["id"]) for f in self.list("flow")
                      if not f["kind"].startswith("api.")}

    def list(self, topic):
        return self.raw(f"{topic}.list") if self.daemon else self.ask(topic, "list")

    def show(self, topic, name):
        return self.raw(f"{topic}.show", id=name) if self.daemon else self.ask(topic, "show", name)

    def ask(self, *argv):
        return self.lab.json(*argv, store=self.store)

    def raw(self, method, **params):
        if not self.daemon:
            return self.ask("raw", method, json.dumps(params))
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        self.daemon.stdin.write(json.dumps(call) + "\n")
        self.daemon.stdin.flush()
        return json.loads(self.daemon.stdout.readline())["result"]

    def migration(self, name):
        found = [m for m in self.migrations if m["id"] == name]
        return found[0] if found else None


# -- The cloud's recordings ---------------------------------------------------

def services_of(layer):
    """Services that a layer of the truth can be in ours."""
    if layer.startswith("qemu") or layer == "cloudtrace_node":
        return ("qemu", None)
    return (layer,)


def moments(flow, migration):
    """All times that are shown: (host, service, ns)."""
    for span in flow["spans"]:
        for member in ("start_ns", "end_ns"):
            if span[member]:
                yield span["host"], span["service"], span[member]
        if (span["attributes"] or {}).get("served_ns"):
            yield span["host"], span["service"], span["end_ns"] - span["attributes"]["served_ns"]
    for member in ("start_ns", "end_ns", "stop_ns"):
        if migration.get(member):
            yield migration["source"], "qemu", migration[member]
    if migration.get("run_ns"):
        yield migration["destination"], "qemu", migration["run_ns"]
    for member in ("stages", "rounds"):
        for part in migration[member]:
            for end in ("start_ns", "end_ns"):
                if part[end]:
                    yield migration["source"], "qemu", part[end]


def stages_wrong(expected, read, flow, migration):
    """An abort or a force-complete is a request of its own, about the same VM."""
    at, wrong = collections.defaultdict(list), []
    others = [f for f in read.flows.values() if f is not flow and f["vm"] and
              f["vm"]["uuid"] == expected["instance"] and
              f["kind"].startswith("server.live-migrate-")]
    for one in [flow] + others:
        for host, service, t_ns in moments(one, migration):
            at[host].append((service, t_ns))
            at[host].append((None, t_ns))
    for stage in expected["stages"]:
        near = [abs(t - stage["t"]) for service, t in at[stage["node"]]
                if service in services_of(stage["layer"])]
        if not near or min(near) > NEAR_NS:
            wrong.append(f"{stage['stage']} on {stage['node']} ({stage['layer']}): "
                         f"{min(near) / 1e6 if near else None} ms off")
    return wrong


def check_cloud(name, truth, read):
    for expected in truth.get("breakdown") or []:
        what = f"{name}: {expected['request_id'][:12]}"
        flow = read.flows.get(expected["request_id"])
        migration = read.migration(flow["migration"]) if flow else None
        if not tap.ok(migration, f"{what}: has a flow with its migration"):
            continue
        got = {k: migration[k] for k in ("request_id", "source", "destination", "source_pid",
                                         "destination_pid")}
        got["instance"], got["migration_uuid"] = migration["vm"]["uuid"], flow["migration_uuid"]
        tap.same(got, {k: expected[k] for k in got}, f"{what}: instance, hosts, processes")
        tap.ok(migration["status"] in STATUS.get(expected["migration_status"], ()),
               f"{what}: {expected['migration_status']}", migration["status"])
        wanted = expected["phases_ms"].get("downtime (guest stopped -> dst running)")
        dark = migration["blackout_ns"]
        if wanted is not None:
            tap.ok(dark and abs(dark - wanted * 1e6) <= NEAR_NS, f"{what}: {wanted} ms of downtime", dark)
        wrong = stages_wrong(expected, read, flow, migration)
        tap.ok(not wrong, f"{what}: {len(expected['stages'])} stages within 2 ms", "\n".join(wrong))
    wrong = []
    for flow in read.flows.values():
        wrong += [f"{flow['id']}: {s['name']}" for s in flow["spans"] if not s.get("joined_by") or
                  not s.get("evidence")]
    tap.ok(not wrong, f"{name}: each span says what joined it", "\n".join(wrong))


# -- Recordings with the kernel -----------------------------------------------

def threads_wrong(stage, name, expected, got, length):
    if not got:
        return [f"{stage}: {name}: no such thread"]
    pairs = ((got["running_ns"], expected["running_ns"]),
             (got["waiting_ns"], expected["runnable_waiting_ns"]),
             (got["blocked_ns"] + got["absent_ns"], expected["blocked_ns"]))
    wrong = []
    if any(abs(a - b) > length / 100 for a, b in pairs) or sum(got[s] for s in STATES) != length:
        wrong.append(f"{stage}: {name}: {pairs} of {length}: {got}")
    takers = collections.Counter()
    for taker in got["waited_for"]:
        takers[taker["name"]] += taker["ns"]
    for taker, ns in (expected.get("cpu_had_while_waiting") or {}).items():
        if ns > length / 50 and abs(takers[taker] - ns) > max(ns / 10, length / 100):
            wrong.append(f"{stage}: {name}: {taker} had the CPU for {ns}: {takers}")
    return wrong


def step_of(migration, begin, end):
    near = [s for s in migration["kernel"] if abs(s["start_ns"] - begin) <= NEAR_NS and
            abs(s["end_ns"] - end) <= NEAR_NS]
    return near[0] if near else None


def check_stage(read, truth, migration, stage):
    """What of one stage is not as the truth says: of its threads, and of the connection."""
    offsets = truth["kernel_epoch_offset_ns"]
    begin, end = (stage[k] + offsets["node-a"] for k in ("from_mono_a_ns", "to_mono_a_ns"))
    length, wrong, sent_wrong = end - begin, [], []
    step = step_of(migration, begin, end)
    for name, expected in stage["threads"].items():
        far = "from_mono_b_ns" in expected
        since = expected["from_mono_b_ns"] + offsets["node-b"] if far else begin
        until = expected["to_mono_b_ns"] + offsets["node-b"] if far else end
        found = read.raw("thread.list", host="node-b" if far else "node-a", since_ns=since,
                         until_ns=until, tid=expected["tid"])
        wrong += threads_wrong(stage["stage"], name, expected, found[0] if found else None,
                               until - since)
        shown = [t for t in (step or {}).get("destination" if far else "source", [])
                 if t["tid"] == expected["tid"]]
        if step and "ksoftirqd" not in name:
            wrong += threads_wrong(f"shown {stage['stage']}", name, expected,
                                   shown[0] if shown else None, step["end_ns"] - step["start_ns"])
    if not step and not stage["stage"].startswith("("):
        wrong.append(f"{stage['stage']}: is not shown: "
                     f"{[(s['name'], s['start_ns'] - begin, s['end_ns'] - end) for s in migration['kernel']]}")
    expected = [stage["migration_connection"][k]
                for k in ("new_bytes", "retransmitted_bytes", "retransmitted_skbs")]
    got = [sum(c[k] for c in (step or {"connections": []})["connections"])
           for k in ("bytes", "retransmitted_bytes", "retransmitted_packets")]
    if step and got != expected:
        sent_wrong.append(f"{stage['stage']}: {got}, not {expected}")
    return wrong, sent_wrong, length if step else 0


def check_kernel(name, truth, read):
    if not tap.ok(len(read.migrations) == 1, f"{name}: one migration", read.migrations):
        return
    migration, = read.migrations
    got = (migration["source"], migration["destination"], migration["source_pid"],
           migration["destination_pid"], migration["status"])
    tap.same(got, ("node-a", "node-b", truth["threads"]["source_pid"],
                   truth["threads"]["destination_pid"], "completed"), f"{name}: hosts and processes")
    wrong, sent_wrong, seen = [], [], 0
    for stage in truth["breakdown"]:
        more, sent, length = check_stage(read, truth, migration, stage)
        wrong, sent_wrong, seen = wrong + more, sent_wrong + sent, seen + length
    tap.ok(not wrong and seen, f"{name}: threads of {len(truth['breakdown'])} stages within 1 %",
           "\n".join(wrong))
    tap.ok(not sent_wrong and seen, f"{name}: bytes and retransmissions of the connection",
           "\n".join(sent_wrong))
    wanted, got = truth["source_times_mono_ns"], migration["stages"][-1]
    down = wanted["completed"] - wanted["finish_migrate"]
    tap.ok(abs(got["end_ns"] - got["start_ns"] - down) <= NEAR_NS, f"{name}: stop-and-copy", got)
    low, high = truth["clock"]["at_stop_kernel_epoch_b_minus_a_bounds_ns"]
    evidence = migration["evidence"]
    offset, error = evidence["clock_offset_ns"], evidence["clock_error_ns"]
    tap.ok(error is not None and low - error <= offset <= high + error and
           offset - error <= high and offset + error >= low, f"{name}: clocks", f"{evidence} {low} {high}")
    low, high = truth["blackout"]["ns_bounds"]
    dark, error = migration["blackout_ns"], migration.get("blackout_error_ns", error)
    tap.ok(dark is not None and low - error <= dark <= high + error, f"{name}: blackout",
           f"{dark} +- {error}, not {low} to {high}")


def check_one_truth(name, read):
    """All that shows a blackout shows the same."""
    told = {m["id"]: [m["blackout_ns"]] for m in read.migrations}
    changes = read.raw("watch", topic="migration", since="0")["items"]
    for m in read.list("migration") + [c["item"] for c in changes if c["item"]]:
        told[m["id"]].append(m["blackout_ns"])
    for flow in read.flows.values():
        for span in flow["spans"]:
            if (span["attributes"] or {}).get("migration") in told:
                told[span["attributes"]["migration"]].append(span["attributes"]["blackout_ns"])
    tap.ok(told and all(len(t) > 2 and len(set(t)) == 1 for t in told.values()),
           f"{name}: one blackout, whoever tells", told)


# -- What is missing ----------------------------------------------------------

def claims(read, whole, node):
    """What is claimed although it can't be known, or wrongly, in a store without a node's trace."""
    wrong = []
    for m in read.migrations:
        ends = [(end, m[end], m[end + "_pid"]) for end in ("source", "destination") if m[end]]
        same = [r for r in whole.migrations if all((r[end], r[end + "_pid"]) == (host, pid)
                                                   for end, host, pid in ends)]
        real = sorted(same, key=lambda r: abs(r["start_ns"] - m["start_ns"]))[:1]
        if not real:
            wrong.append(f"migration {m['id']}: joined {ends}")
            continue
        if m["request_id"] not in (None, real[0]["request_id"]):
            wrong.append(f"migration {m['id']}: of {m['request_id']}, not {real[0]['request_id']}")
        if m["status"] != real[0]["status"] and not m["unknown"]:
            wrong.append(f"migration {m['id']}: {m['status']}, not {real[0]['status']}")
        if len(ends) < 2 and not [u for u in m["unknown"] if u["what"] in ("no-trace", "no-hypervisor")]:
            wrong.append(f"migration {m['id']}: does not say that an end is missing: {m['unknown']}")
        if m["blackout_ns"] and real[0]["blackout_ns"] and node in (m["source"], m["destination"]) and \
                m["blackout_ns"] != real[0]["blackout_ns"] and not m["unknown"]:
            wrong.append(f"migration {m['id']}: blackout {m['blackout_ns']}")
    for name, flow in read.flows.items():
        real = whole.flows.get(name)
        if not real:
            continue
        if flow["status"] != real["status"] and not flow["unknown"]:
            wrong.append(f"{name} {flow['kind']}: {flow['status']}, not {real['status']}, and nothing unknown")
        for end in ("source", "destination"):
            if flow[end] and flow[end] != real[end]:
                wrong.append(f"{name}: {end} {flow[end]}, not {real[end]}")
        if flow["budget"] and abs(sum(b["percent"] for b in flow["budget"]) - 100) > 0.01:
            wrong.append(f"{name}: budget {flow['budget']}")
    return wrong


def told(read, node, words):
    """Whether the unknown of anything says one of these of the node."""
    return [u for thing in read.migrations + list(read.flows.values()) for u in thing["unknown"]
            if u["what"] in words and u["host"] in (node, None)]


def has_part(whole, node):
    return any(node in (m["source"], m["destination"]) for m in whole.migrations)


def shuffled(name, lab, traces, orders):
    tool = os.path.join(BUILD, "tests/shuffled_facts")
    done = subprocess.run([tool, lab.path("shuffled.db"), str(orders), traces], capture_output=True,
                          text=True, timeout=300, check=False)
    tap.ok(done.returncode == 0, f"{name}: the same store in {orders} other orders",
           done.stdout[:4000] + done.stderr)


def check_cuts(name, lab, traces, whole):
    if not whole.migrations:
        return
    first = min(whole.migrations, key=lambda m: m["start_ns"])
    middle = (first["start_ns"] + first["end_ns"]) // 2
    ahead = first["evidence"]["clock_offset_ns"] or 0
    for node in nodes_of(traces):
        at = middle + (ahead if node == first["destination"] else 0)
        for how, words in (("without", ("no-trace", "no-hypervisor")), ("killed", ("trace-ends",)),
                           ("lossy", ("lost-events",))):
            if not WHOLE and (node.startswith("storage") or (how != "killed" and
                                                             not has_part(whole, node))):
                continue
            target = lab.path(f"{how}-{node}")
            if how == "without":
                ctf_cut.without(traces, target, node)
            elif how == "killed":
                ctf_cut.killed(traces, target, node, at)
            else:
                ctf_cut.lossy(traces, target, node, at - 10 ** 9, at + 10 ** 9)
            read = Read(lab, target, store=f"{how}-{node}.db", client=False)
            if how != "without" and node == first["source"] and (WHOLE or name.startswith("kv")):
                shuffled(f"{name} {how} {node}", lab, target, 2)
            wrong = claims(read, whole, node)
            tap.ok(not wrong, f"{name} {how} {node}: nothing wrong is claimed", "\n".join(wrong))
            if has_part(whole, node):
                tap.ok(told(read, node, words), f"{name} {how} {node}: what is not known is said",
                       [u["text"] for t in read.migrations + list(read.flows.values())
                        for u in t["unknown"]])


def check(folder):
    name = os.path.basename(folder.rstrip("/"))
    traces = traces_of(folder)
    with open(os.path.join(folder, "truth.json"), encoding="utf-8") as f:
        truth = json.load(f)
    with Lab() as lab:
        read = Read(lab, traces)
        if "kernel_epoch_offset_ns" in truth:
            check_kernel(name, truth, read)
        else:
            check_cloud(name, truth, read)
        check_one_truth(name, read)
        vague = [(t["id"], u["text"]) for t in read.migrations + list(read.flows.values())
                 for u in t["unknown"] if t["status"] not in ("failed", "error")]
        tap.same(vague, [], f"{name}: nothing is unknown of what went well")
        if "kernel_epoch_offset_ns" in truth or WHOLE:
            shuffled(name, lab, traces, 4)
        if name in CUT or WHOLE:
            check_cuts(name, lab, traces, read)


for argument in sys.argv[1:] or [corpus(scenario) for scenario in SCENARIOS]:
    check(argument)
tap.done()
