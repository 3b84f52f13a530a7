#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The kernel analyzers on real traces, against what other tools counted and
against counts of our own over the events as text: states of threads per stage of
a migration, exits of vCPUs, requests to disks, bytes of a connection."""
import collections
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_serve import BUILD, SRC, check, jsonschema  # noqa: E402

DAEMON = os.path.join(BUILD, "cloudtraced")
count = failed = 0


def report(name, why=""):
    global count, failed
    count += 1
    failed += bool(why)
    print(f"{'not ok' if why else 'ok'} {count} - {name}", flush=True)
    for line in str(why).splitlines() if why else []:
        print("#", line[:400], flush=True)


def unpack(name):
    return subprocess.run(["sh", os.path.join(SRC, "tests/lib/corpus.sh"), name], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


class Store:
    """A store that was read from a trace, and a daemon that answers from it."""
    def __init__(self, folder, trace):
        self.trace = unpack(trace)
        self.truth = json.load(open(os.path.join(self.trace, "truth.json"), encoding="utf-8"))
        self.path = os.path.join(folder, trace.replace("/", "-") + ".db")
        subprocess.run([DAEMON, "--read", self.trace, "--store", self.path], check=True,
                       stderr=subprocess.DEVNULL, timeout=120)
        self.daemon = subprocess.Popen([DAEMON, "--store", self.path, "--stdio"], text=True,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        json.loads(self.daemon.stdout.readline())
        self.results = {m["name"]: m["result"] for m in self.call("describe")["methods"]}

    def call(self, method, **params):
        self.daemon.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                                            "params": params}) + "\n")
        self.daemon.stdin.flush()
        reply = json.loads(self.daemon.stdout.readline())
        if "error" in reply:
            raise AssertionError(reply["error"])
        if method != "describe":
            check(self.results[method], reply["result"])
        return reply["result"]

    def events(self, names):
        """Events of these names as --dump gives them."""
        dump = subprocess.Popen([DAEMON, "--dump", self.trace], stdout=subprocess.PIPE, text=True)
        for line in dump.stdout:
            if any(f'"{name}"' in line for name in names):
                event = json.loads(line)
                if event["name"] in names:
                    yield event
        dump.wait()

    def close(self):
        self.daemon.stdin.close()
        self.daemon.wait()


STATES = ("running_ns", "waiting_ns", "blocked_ns", "unknown_ns", "absent_ns")


def span_of(stage, thread, offsets):
    if "from_mono_b_ns" in thread:
        return ("node-b", thread["from_mono_b_ns"] + offsets["node-b"],
                thread["to_mono_b_ns"] + offsets["node-b"])
    return ("node-a", stage["from_mono_a_ns"] + offsets["node-a"],
            stage["to_mono_a_ns"] + offsets["node-a"])


def check_stage(store, stage):
    """What of the stage is not as the truth says: the thread is told to be blocked
    there while it was not made yet."""
    offsets, wrong = store.truth["kernel_epoch_offset_ns"], []
    for name, expected in stage["threads"].items():
        host, begin, end = span_of(stage, expected, offsets)
        found = store.call("thread.list", host=host, since_ns=begin, until_ns=end,
                           tid=expected["tid"])
        if len(found) != 1:
            wrong.append(f"{stage['stage']}: {name}: {len(found)} threads")
            continue
        got = found[0]
        pairs = ((got["running_ns"], expected["running_ns"]),
                 (got["waiting_ns"], expected["runnable_waiting_ns"]),
                 (got["blocked_ns"] + got["absent_ns"], expected["blocked_ns"]))
        if any(abs(a - b) > (end - begin) / 100 for a, b in pairs) or not got["exact"] or \
                sum(got[s] for s in STATES) != end - begin:
            wrong.append(f"{stage['stage']}: {name}: {pairs} of {end - begin}: {got}")
        had = expected.get("cpu_had_while_waiting") or {}
        most = max(had, key=had.get) if had else None
        takers = collections.Counter()
        for taker in got["waited_for"]:
            takers[taker["name"]] += taker["ns"]
        if most and had[most] > (end - begin) / 50 and \
                not 0.9 < takers[most.split("/")[0] if most.startswith("k") else most] / had[most] < 1.1:
            wrong.append(f"{stage['stage']}: {name}: {most} had the CPU for {had[most]}: {takers}")
    return wrong


def check_bytes(store, stage):
    begin, end = (stage[k] + store.truth["kernel_epoch_offset_ns"]["node-a"]
                  for k in ("from_mono_a_ns", "to_mono_a_ns"))
    network = store.call("network.show", host="node-a", since_ns=begin, until_ns=end)
    ways = [c for c in network["connections"] if c["to"].endswith(":4444")]
    got = [sum(w[k] for w in ways) for k in ("bytes", "retransmitted_bytes", "retransmitted_packets")]
    expected = [stage["migration_connection"][k]
                for k in ("new_bytes", "retransmitted_bytes", "retransmitted_skbs")]
    return [] if got == expected else [f"{stage['stage']}: {got}, not {expected}"]


def test_migration(store):
    wrong, bytes_wrong = [], []
    for stage in store.truth["breakdown"]:
        wrong += check_stage(store, stage)
        bytes_wrong += check_bytes(store, stage)
    report("threads per stage within 1 % of the stage, their sums exact", "\n".join(wrong))
    report("bytes and retransmissions of the connection exactly", "\n".join(bytes_wrong))
    migration = store.call("migration.list")[0]
    shown = store.call("migration.show", id=migration["id"])
    test_clock_of_migration(store, migration)
    steps = {s["name"]: s for s in shown.get("kernel", [])}
    wrong = []
    for stage in store.truth["breakdown"]:
        name = {"setup": "setup", "stop-and-copy": "stop-and-copy"}.get(stage["stage"])
        if not name:
            continue
        expected = stage["threads"]["migration thread"]
        mine = [t for t in steps.get(name, {}).get("source", []) if t["tid"] == expected["tid"]]
        sent = sum(c["bytes"] for c in steps.get(name, {}).get("connections", []))
        if len(mine) != 1 or abs(mine[0]["waiting_ns"] - expected["runnable_waiting_ns"]) > \
                stage["duration_ns"] / 100:
            wrong.append(f"{name}: {mine}")
        if sent != stage["migration_connection"]["new_bytes"]:
            wrong.append(f"{name}: {sent} bytes")
    report("migration.show has them too", "\n".join(wrong))
    test_budgets(store, shown)


BLOCKED = ("disk", "network", "timer", "interrupt", "task", "blocked")


def test_budgets(store, shown):
    """Not of setup: before the migration's thread has its name, the main thread counts."""
    spans = {f"precopy-round-{r['n']}": r for r in shown["rounds"]}
    spans.update((s["name"], s) for s in shown["stages"] if s["name"] == "stop-and-copy")
    wrong, seen = [], 0
    for stage in store.truth["breakdown"]:
        budget = spans.get(stage["stage"], {}).get("budget")
        if budget is None:
            continue
        seen += 1
        expected, parts = stage["threads"]["migration thread"], collections.Counter()
        for part in budget:
            parts["blocked" if part["what"] in BLOCKED else part["what"]] += part["ns"]
        pairs = [(parts[what], expected[key]) for what, key in
                 (("cpu", "running_ns"), ("waiting-cpu", "runnable_waiting_ns"), ("blocked", "blocked_ns"))]
        if any(abs(a - b) > stage["duration_ns"] / 100 for a, b in pairs):
            wrong.append(f"{stage['stage']}: {pairs}: {budget}")
    for span in shown["stages"] + shown["rounds"]:
        if sum(part["ns"] for part in span["budget"]) != span["end_ns"] - span["start_ns"]:
            wrong.append(f"{span}")
    whole = shown["budget"]
    if sum(part["ns"] for part in whole) != shown["end_ns"] - shown["start_ns"] or \
            abs(sum(part["percent"] for part in whole) - 100) > 1e-6:
        wrong.append(f"{whole}")
    report("budgets of stages and rounds are the thread's, the whole is 100 %",
           "\n".join(wrong) or ("" if seen > 3 else f"{seen} stages"))


def clock_of(store, host):
    return {n["host"]: n["clock"] for n in store.call("node.list")}[host]


def test_clock(store):
    clock = clock_of(store, "node-b")
    low, high = store.truth["derived"]["packet_match"]["bounds_b_minus_a_ns"]
    report("two nodes: the offset is inside the true bounds",
           "" if clock["reference"] == "node-a" and low <= clock["offset_ns"] <= high else clock)
    report("two nodes: the error holds the truth and is below 300 us",
           "" if clock["error_ns"] < 300000 and clock["offset_ns"] - clock["error_ns"] <= low and
           high <= clock["offset_ns"] + clock["error_ns"] else clock)
    error = clock["drift_error_ppm"]
    report("two nodes: the error of the drift holds the truth", "" if
           abs(clock["drift_ppm"] - 1.5) <= error < 500 else str(clock))
    report("two nodes: the drift is that of two clocks nearby", "" if abs(clock["drift_ppm"] - 1.5) < 5
           else clock)
    report("two nodes: the reference is off by nothing", "" if
           clock_of(store, "node-a")["error_ns"] == clock_of(store, "node-a")["offset_ns"] == 0
           else clock_of(store, "node-a"))


def test_clock_of_migration(store, migration):
    truth, evidence = store.truth, migration["evidence"]
    low, high = truth["clock"]["at_stop_kernel_epoch_b_minus_a_bounds_ns"]
    offset, error = evidence["clock_offset_ns"], evidence["clock_error_ns"]
    report("the clocks' offset at the stop is inside the true bounds, the error holds them",
           "" if evidence["clock_how"] == "packets" and low <= offset <= high and error < 400000 and
           offset - error <= low and high <= offset + error else evidence)
    low, high = truth["blackout"]["ns_bounds"]
    got, error = migration["blackout_ns"], migration["blackout_error_ns"]
    report("the blackout is inside its bounds, the error holds them", "" if low <= got <= high and
           got - error <= low and high <= got + error else f"{got} +- {error}, not in {low} {high}")


def test_block(store):
    begun, done, service = {}, collections.Counter(), collections.Counter()
    for e in store.events(("block_rq_issue", "block_rq_complete")):
        p = e["payload"]
        where = (p["dev"], p["sector"])
        if not p["nr_sector"]:
            continue
        if e["name"] == "block_rq_issue":
            begun[where] = (e["t"], "write" if p["rwbs"] & 1 else "read")
        elif where in begun:
            t_ns, op = begun.pop(where)
            done[p["dev"], op] += 1
            service[p["dev"], op] += e["t"] - t_ns
    disks = {d["device"]: d for d in store.call("disk.list", host="compute1", since_ns=1)}
    wrong = []
    for dev, op in done:
        disk = disks[f"{dev >> 20}:{dev & 0xfffff}"]
        if (disk[op + "s"], disk[op + "_service"]["sum_ns"]) != (done[dev, op], service[dev, op]):
            wrong.append(f"{disk['name']} {op}: {disk[op + 's']}, {disk[op + '_service']}, not "
                         f"{done[dev, op]}, {service[dev, op]}")
    report("requests and their time in the device, as counted from the events", "\n".join(wrong))
    stats = store.truth["traces"][0]["truth"]["blockstats-vm1.json"]["return"][0]["stats"]
    owners = [o for o in disks["253:0"]["owners"] if o["name"] == "IO iothread0"]
    expected = [(stats["rd_operations"], stats["wr_operations"])]
    got = [(o["reads"], o["writes"]) for o in owners]
    report("vm1's requests are its iothread's, as many as QEMU counted",
           "" if got == expected == [(304, 300)] else f"{got}, not {expected}")
    below = [(b["device"], b["source"]) for b in disks["253:0"]["below"]]
    report("dm-0 lies on vdb", "" if below == [("254:16", "block_bio_remap")] and
           disks["254:16"]["name"] == "vdb" and disks["253:0"]["name"] == "dm-0" else below)


def sums(store, host):
    """Threads whose states do not add up to their span."""
    threads = store.call("thread.list", host=host, since_ns=1, limit=10000)
    spans = {t["tid"]: sum(t[s] for s in STATES) for t in threads}
    return threads, spans


def test_vcpus(store):
    counted = collections.Counter()
    for e in store.events(("kvm_x86_exit", "kvm_userspace_exit")):
        isa = e["payload"].get("isa", 255)
        counted[e["context"]["tid"], isa, e["payload"].get("exit_reason", e["payload"].get("reason"))] += 1
    threads, spans = sums(store, "compute2")
    got = collections.Counter()
    for t in threads:
        for x in (t["vcpu"] or {"exits": []})["exits"]:
            if x["count"]:
                got[t["tid"], x["isa"], x["reason"]] += x["count"]
    report("exits of each vCPU by reason, as counted from the events",
           "" if got == counted and counted else f"{got} {counted}")
    vcpus = [t for t in threads if t["role"] == "vcpu"]
    outside = [t for t in vcpus if sum(x["ns"] for x in t["vcpu"]["exits"]) + t["vcpu"]["guest_ns"] >
               t["running_ns"] or t["vcpu"]["halted_ns"] > t["blocked_ns"]]
    report("guest and hypervisor are parts of running, halted of blocked",
           "" if len(vcpus) == 3 and not outside else outside or vcpus)
    top = store.call("top", since_ns=1)
    node = store.call("node.show", host="compute2", since_ns=1)
    vms = {v["pid"] for v in node["vms"]}
    pids = {json.loads(line)["pid"] for line in open(os.path.join(
        store.trace, "truth-files/compute2/vms.jsonl"), encoding="utf-8")}
    report("each VM is there by its process", "" if vms == pids and
           pids <= {r["pid"] for r in top} else f"{vms}, not {pids}")
    stolen = [n for n in node["neighbours"] if n["victim"]["pid"] in pids and n["taker"]["pid"] in pids]
    test_schedstat(store)
    report("VMs that shared a CPU took it from each other",
           "" if {(n["victim"]["pid"], n["taker"]["pid"]) for n in stolen} >=
           {(a, b) for a in pids for b in pids if a != b} else node["neighbours"])


PHASES = ("before", "free", "pinned", "stress", "after")


def snapshots(store):
    """What /proc had for each vCPU at the end of each phase, and between which
    times it was read: the second "cat" of each thread, in the order of the file."""
    marks, cats, ends = {}, [], {}
    for e in store.events(("lttng_logger", "sched_process_exec", "sched_process_exit")):
        p = e["payload"]
        if e["name"] == "lttng_logger":
            marks[p["msg"].split(":")[1]] = e["t"]
        elif e["name"] == "sched_process_exit":
            ends[p["tid"]] = e["t"]
        elif p["filename"].endswith("/cat"):
            cats.append((e["t"], p["tid"]))
    bounds = dict(zip(PHASES, ((0, "free-start"), ("free-end", "pinned-start"),
                               ("pinned-end", "stress-start"), ("stress-end", "unpinned-start"),
                               ("unpinned-end", None))))
    for phase, (first, last) in bounds.items():
        within = [(t, ends[tid]) for t, tid in cats
                  if marks.get(first, 0) < t < marks.get(last, 1 << 63)]
        path = f"truth-files/compute2/qemu-threads-{phase}.jsonl"
        for i, line in enumerate(open(os.path.join(store.trace, path), encoding="utf-8")):
            thread = json.loads(line)
            if thread["comm"].startswith("CPU "):
                yield (phase, thread["tid"]), ([int(n) for n in thread["schedstat"].split()[:2]],
                                               within[2 * i + 1])


def test_schedstat(store):
    known, wrong = dict(snapshots(store)), []
    for (phase, tid), (now, read) in known.items():
        if phase == PHASES[0]:
            continue
        before, read_before = known[PHASES[PHASES.index(phase) - 1], tid]
        inner, outer = (store.call("thread.list", host="compute2", tid=tid, since_ns=a, until_ns=b)[0]
                        for a, b in ((read_before[1], read[0]), (read_before[0], read[1])))
        slack = (read[0] - read_before[1]) / 100
        for k, name in enumerate(("running_ns", "waiting_ns")):
            if not inner[name] - slack <= now[k] - before[k] <= outer[name] + slack:
                wrong.append(f"{phase} {tid} {name}: {now[k] - before[k]}, not within {inner[name]} "
                             f"and {outer[name]}")
    report("vCPUs' time by phase within 1 % of /proc's schedstat",
           "\n".join(wrong) if len(known) == 15 else f"{len(known)} figures")


def test_lossy(store):
    threads, spans = sums(store, "compute4")
    node = store.call("node.show", host="compute4", since_ns=1)
    unknown = sum(c["unknown_ns"] for c in node["cpus"])
    report("what was lost is unknown", "" if unknown > 0 and
           any(t["unknown_ns"] for t in threads) else f"{unknown} {threads[:2]}")
    too_long = [t for t in threads if spans[t["tid"]] > node["until_ns"] - node["since_ns"]]
    report("and no thread is longer than the trace", "" if threads and not too_long else too_long)


def test_volumes(store):
    sources = collections.Counter()
    for volume in store.call("volume.list"):
        for attachment in store.call("volume.chain", id=volume["id"])["attachments"]:
            sources[attachment["source"]] += 1
    report("volumes: attachments by Nova's log and Cinder's",
           "" if sources["nova-compute"] and sources["cinder"] else sources)


# VMs that were kept from the CPU, by whom; elsewhere nothing is wrong.
ALERTS = {"full/kv-normal": set(), "kernel/d-vcpu-contention": {"noisy-neighbour", "cpu-contention"},
          "kernel/c-block-lvm": {"cpu-contention"}, "kernel/i-lossy": set(), "openstack/volume": set()}


def test_alerts(store, trace):
    about = ("noisy-neighbour", "cpu-contention", "slow-volume", "upcall-storm")
    alerts = [a for a in store.call("alert.list") if a["rule"] in about]
    report(f"{trace}: alerts about nodes", "" if {a["rule"] for a in alerts} == ALERTS.get(trace, set()) else alerts)
    wrong = [a["text"] for a in alerts if a["rule"] == "noisy-neighbour" and
             not re.search(r" % of 10 s, most for VM with pid \d+$", a["text"])]
    report(f"{trace}: with figures and the neighbour", wrong)


def test_again(name, every):
    run = subprocess.run([os.path.join(BUILD, "tests/kernel_again"), str(every), unpack(name)],
                         capture_output=True, text=True, timeout=240)
    report(f"{name}: a restart each {every} events changes nothing",
           "" if run.returncode == 0 else run.stdout + run.stderr)


def main():
    if not jsonschema:
        print("# without python3-jsonschema forms are not checked")
    with tempfile.TemporaryDirectory() as folder:
        for test, trace in ((test_migration, "full/kv-normal"), (test_block, "kernel/c-block-lvm"),
                            (test_clock, "kernel/g-two-nodes-sync"),
                            (test_vcpus, "kernel/d-vcpu-contention"), (test_lossy, "kernel/i-lossy"),
                            (test_volumes, "openstack/volume")):
            store = Store(folder, trace)
            test(store)
            test_alerts(store, trace)
            store.close()
    for name, every in (("full/kv-normal", 997), ("kernel/c-block-lvm", 499),
                        ("kernel/d-vcpu-contention", 2003), ("kernel/h-compute-node", 991),
                        ("kernel/i-lossy", 1009)):
        test_again(name, every)
    print(f"1..{count}")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
