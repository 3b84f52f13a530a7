#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The same recording is published twice into one relayd and one daemon, and once
more under other names: each time a migration of its own, with no event late or lost."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import Lab, Tap, corpus, wait_for  # noqa: E402

OPTIONS = ("--speed", "10", "--live-timer", "200ms", "--now")
tap = Tap()


def completed(lab, count):
    return [m for m in lab.json("migration", "list") if m["status"] == "completed"][count - 1:]


with Lab() as lab:
    lab.relayd()
    lab.daemon()
    traces = corpus("qemu/m-explicit")
    for number, options in enumerate(((), (), ("--rename", "compute-01=compute-03",
                                              "--rename", "compute-02=compute-04")), 1):
        run = lab.replay(*OPTIONS, *options, traces)
        tap.same(run.returncode, 0, f"run {number} is published")
        tap.ok(wait_for(lambda: completed(lab, number), 15), f"run {number} is a migration of its own",
               lab.json("migration", "list"))
    migrations, nodes = lab.json("migration", "list"), lab.json("node", "list")
    tap.same(len(migrations), 3, "there is no other one")
    tap.same(sorted({n["host"] for n in nodes}), [f"compute-0{i}" for i in (1, 2, 3, 4)],
             "hosts have their new names")
    sources = [s for n in nodes for s in n["sources"]]
    tap.ok(sum(s["events"] for s in sources) > 100, "there are events", sources)
    tap.same(sum(s["late_events"] for s in sources), 0, "no event is late")
    tap.same(sum(s["lost_events"] for s in sources), 0, "no event is lost")
tap.done()
