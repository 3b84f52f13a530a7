#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every migration of tests/corpus/qemu, as QEMU itself reported it (query-migrate, its events STOP
and RESUME): from disk, with both readers.  expected.json came with its recordings; those of
expected-own.json (r-*) were made in the same way."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import TOP, Lab, Tap, corpus, difference  # noqa: E402

WITHIN_MS = 2.0
tap = Tap()


def ms(value):
    return None if value is None else value / 1e6


def near(got, wanted):
    return wanted is None or (got is not None and abs(ms(got) - wanted) <= WITHIN_MS)


def matches(m, e):
    """What of the expected migration 'e' the found one 'm' has otherwise."""
    wrong = []
    for key in ("source", "destination", "source_pid", "destination_pid", "mode"):
        if m[key] != e[key]:
            wrong.append(f"{key}: {m[key]} instead of {e[key]}")
    if m["status"] not in e["status"]:
        wrong.append(f"status: {m['status']} instead of {e['status']}")
    if e["dirty_syncs"] is not None and m["dirty_syncs"] != e["dirty_syncs"]:
        wrong.append(f"dirty_syncs: {m['dirty_syncs']} instead of {e['dirty_syncs']}")
    for key in ("total", "downtime", "blackout"):
        if not near(m[f"{key}_ns"], e[f"{key}_ms"]):
            wrong.append(f"{key}: {ms(m[f'{key}_ns'])} ms instead of {e[f'{key}_ms']}")
    return wrong


def check(name, found, expected):
    tap.same(len(found), len(expected), f"{name}: number of migrations")
    by_pids = {(m["source_pid"], m["destination_pid"]): m for m in found}
    for e in expected:
        m = by_pids.get((e["source_pid"], e["destination_pid"]))
        wrong = matches(m, e) if m else ["is not there"]
        tap.ok(not wrong, f"{name}: migration of pid {e['source_pid']}", "\n".join(wrong))


truth = {}
for file in ("expected.json", "expected-own.json"):
    with open(os.path.join(TOP, "tests/corpus/qemu", file), encoding="utf-8") as f:
        truth.update(json.load(f))
# Nothing but losses.
truth["../ctf/hello-lost"] = []
for name, expected in truth.items():
    with Lab() as lab:
        traces = corpus(f"qemu/{name}")
        lab.read(traces)
        lab.read(traces, store="bt2.db", options=["--reader=babeltrace2"])
        check(name, lab.json("migration", "list", store="store.db"), expected)
        ours, theirs = lab.dump_store(), lab.dump_store("bt2.db")
        tap.ok(ours == theirs and ours, f"{name}: babeltrace2 as reader gives the same store",
               difference(ours, theirs))
        lab.read(traces)
        tap.ok(lab.dump_store() == ours, f"{name}: reading it again changes nothing")
tap.done()
