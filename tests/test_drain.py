#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Two live migrations beside each other; and a host that is being emptied, as it was known at many times while a real cloud did
that, against what happened: who leaves, in which phase, and until when."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_serve import BUILD, check  # noqa: E402
from test_kernel_corpus import unpack  # noqa: E402

S = 10**9
POINTS = 24
count = failed = 0


def report(name, why):
    global count, failed
    count += 1
    failed += bool(why)
    print(f"{'not ok' if why else 'ok'} {count} - {name}", flush=True)
    if why:
        print("#", str(why)[:2000], flush=True)


def call(store, schema, method, **params):
    run = subprocess.run([os.path.join(BUILD, "cloudtraced"), "--store", store, "--stdio"], check=True,
                         text=True, stdout=subprocess.PIPE, input=json.dumps(
                             {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) + "\n")
    reply = json.loads(run.stdout.splitlines()[1])
    if "error" in reply:
        check("error", reply)
        return reply["error"]
    check(schema, reply["result"])
    return reply["result"]


def ask(store, host, **params):
    return call(store, "drain", "node.drain_status", host=host, **params)


def read(folder, trace):
    path = os.path.join(folder, "whole.db")
    subprocess.run([os.path.join(BUILD, "cloudtraced"), "--read", trace, "--store", path], check=True,
                   stderr=subprocess.DEVNULL)
    return path


def cuts(folder, trace, times):
    path = os.path.join(folder, "cut.db")
    subprocess.run([os.path.join(BUILD, "tests/store-until"), path, trace, "--", *map(str, times)],
                   check=True)
    return [f"{path}.{i}" for i in range(1, len(times) + 1)]


ORDER = ["scheduling", "queued", "preparing", "migrating", "finishing", "ended"]


def phases_go_on(seen):
    """Each VM goes through its phases in their order."""
    wrong, last = [], {}
    for when, answer in seen:
        for row in answer["migrations"]:
            phase, before = row["phase"], last.get(row["request_id"], "scheduling")
            if ORDER.index(phase) < ORDER.index(before):
                wrong.append(f"{row['vm']['name']} at {when}: {phase} after {before}")
            last[row["request_id"]] = phase
    return "\n".join(wrong) if set(last.values()) == {"ended"} else f"the last phases: {last} {wrong}"


def estimates(seen, ends, first):
    """How far they are from what happened; those that were told at all."""
    errors, inside, told = [], 0, 0
    for when, answer in seen:
        left = [ends[r["request_id"]] for r in answer["migrations"] if r["phase"] != "ended"]
        if not left:
            assert answer["eta"] is None, answer
            continue
        eta, true = answer["eta"], max(left)
        if not eta:
            assert answer["unknown_because"], answer
            continue
        assert when <= eta["low_ns"] <= eta["end_ns"] <= eta["high_ns"], eta
        told += 1
        inside += eta["low_ns"] <= true <= eta["high_ns"]
        errors.append((eta["end_ns"] - true) / (true - first))
    return errors, inside, told


def check_host(folder, trace, whole, host, vms, least, most_error):
    truth = ask(whole, host, since_ns=1)
    rows = truth["migrations"]
    first, last = rows[0]["asked_ns"], max(r["end_ns"] for r in rows)
    ends = {r["request_id"]: r["end_ns"] for r in rows}
    times = [first + (last - first + S // 10) * i // POINTS for i in range(1, POINTS + 1)]
    seen = [(t, ask(path, host)) for t, path in zip(times, cuts(folder, trace, times))]
    report(f"{host}: {vms} VMs left it, in order", "" if [r["status"] for r in rows] == ["done"] * vms and
           rows == sorted(rows, key=lambda r: r["asked_ns"]) else rows)
    report(f"{host}: phases follow each other", phases_go_on(seen))
    errors, inside, told = estimates(seen, ends, first)
    print(f"# {host}: {told} estimates at {POINTS} times, {inside} with the truth in their interval, mean"
          f" error {100 * sum(map(abs, errors)) / max(told, 1):.0f} % of the whole time,"
          f" largest {100 * max(map(abs, errors), default=0):.0f} %")
    report(f"{host}: when it will be empty", "" if told >= least and inside >= 0.8 * told and
           sum(map(abs, errors)) <= most_error * told else (told, inside, errors))
    return seen


def differences_add_up(answer):
    parts = answer["parts"]
    if sum(p["difference_ns"] for p in parts) != answer["difference_ns"]:
        return f"parts differ by {sum(p['difference_ns'] for p in parts)}: {answer['text']}"
    if sum(p["a_ns"] for p in parts) != answer["a"]["total_ns"]:
        return f"parts of A: {parts}"
    return ""


def check_compare(store):
    """The second of two migrations waits for the first: that is what made it longer."""
    rows = ask(store, "compute-1", since_ns=1)["migrations"]
    first, second = rows[0], rows[1]
    a = call(store, "compare", "compare", a=second["request_id"], b=first["request_id"])
    b = call(store, "compare", "compare", a=first["request_id"], b=second["request_id"])
    report("requests: the wait for a slot made the difference", "" if
           a["parts"][0]["what"] == "waiting for a slot" and a["parts"][0]["percent"] > 80 and
           "longer than B" in a["text"] and "waiting for a slot (nova-compute on compute-1)" in
           a["text"] else a["text"])
    report("requests: parts add up", differences_add_up(a) or differences_add_up(b))
    report("requests: the other way round it is the opposite", "" if
           a["difference_ns"] == -b["difference_ns"] and {p["what"]: p["difference_ns"]
           for p in a["parts"]}["waiting for a slot"] > 0 > b["parts"][0]["difference_ns"] and
           "less than B" in b["text"] else (a["text"], b["text"]))
    both = [s for s in a["steps"] if s["a"] and s["b"]]
    report("requests: most steps are of both", "" if len(both) > 0.9 * len(a["steps"]) and
           "pre_live_migration" in [s["name"] for s in both] else a["steps"])
    m = call(store, "compare", "compare", a=second["migration"], b=first["migration"])
    mixed = call(store, "compare", "compare", a=second["request_id"], b=first["migration"])
    report("migrations: parts add up, and a request stands for its own",
           differences_add_up(m) or ("" if m == mixed and m["topic"] == "migration" and
                                     {f["name"] for f in m["figures"]} >= {"memory", "sent", "downtime"}
                                     else mixed))
    creates = [f for f in call(store, "[flow]", "flow.list") if f["kind"] == "server.create"]
    other = call(store, "compare", "compare", a=creates[0]["id"], b=first["migration"])
    report("two of different sorts are refused", "" if other.get("data", {}).get("kind") ==
           "invalid-params" else other)
    alone = call(store, "compare", "compare", a=creates[0]["id"])
    report("too few peers are said to be", "" if alone["peers"]["n"] == 2 and
           alone["peers"]["faster_percent"] is None and "too few" in alone["text"] else alone["text"])
    shown = call(store, "flow", "flow.show", id=creates[0]["id"])
    report("flow.show has its peers", "" if shown["peers"] == alone["peers"] else shown["peers"])


def main():
    trace = unpack("full/fs-parallel")
    with tempfile.TemporaryDirectory() as folder:
        whole = read(folder, trace)
        check_compare(whole)
        seen = check_host(folder, trace, whole, "compute-1", 2, POINTS // 2, 0.15)
        # nova-compute takes one at a time here: the second waits for the first.
        waits = [a for _, a in seen if a["counts"]["queued"] == 1 and a["counts"]["running"] == 1]
        report("compute-1: one at a time, the other waits", "" if waits and
               all(a["slots"] == 1 for a in waits) and
               all([r["phase"] for r in a["migrations"]][1] in ("scheduling", "queued") for a in waits)
               else waits)
        # The VM that came meanwhile has nothing that brings it away.
        left = [[v["name"] for v in a["left"]] for _, a in seen]
        report("compute-1: who came is still there", "" if left[-1] == ["fsp2"] and left[0] == [] and
               all(names in ([], ["fsp2"]) for names in left) else left)
        moving = [r for _, a in seen for r in a["migrations"] if r["phase"] == "migrating" and r["migration"]]
        report("compute-1: how far each is", "" if moving and all(
            0 <= r["progress_percent"] <= 100 and r["verdict"] for r in moving) else moving)
        # Only one leaves, and none has before: by its forecast and what went before.
        check_host(folder, trace, whole, "compute-2", 1, 3, 0.25)
    print(f"1..{count}")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
