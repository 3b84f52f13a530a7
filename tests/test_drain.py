#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A host that is being emptied, as it was known at many times while a real cloud did
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


def ask(store, host, **params):
    run = subprocess.run([os.path.join(BUILD, "cloudtraced"), "--store", store, "--stdio"], check=True,
                         text=True, stdout=subprocess.PIPE, input=json.dumps(
                             {"jsonrpc": "2.0", "id": 1, "method": "node.drain_status",
                              "params": {"host": host, **params}}) + "\n")
    reply = json.loads(run.stdout.splitlines()[1])
    if "error" in reply:
        raise AssertionError(reply["error"])
    check("drain", reply["result"])
    return reply["result"]


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


def main():
    trace = unpack("full/fs-parallel")
    with tempfile.TemporaryDirectory() as folder:
        whole = read(folder, trace)
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
