#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Two sessions of one node with channels of the same name, at the same time: a node with two roles, or a
session that was made again.  The daemon reads both."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import Lab, Tap, corpus, wait_for  # noqa: E402

tap = Tap()
trace = corpus("qemu/b-rounds")


with Lab() as lab:
    lab.relayd()
    daemon = lab.daemon("--history=3650d")
    replays = [lab.replay("--speed", "10", "--hold", "3s", trace, wait=False) for _ in range(2)]
    for replay in replays:
        replay.wait(timeout=120)
    tap.ok(all(r.returncode == 0 for r in replays), "both are published", lab.log("replay.log"))
    tap.ok(daemon.poll() is None, "the daemon lives", lab.log("cloudtraced.log")[-2000:])
    tap.ok(wait_for(lambda: daemon.poll() is None and [
        m for m in lab.json("migration", "list") if m["status"] == "completed"], 10),
        "it found the migration", lab.log("cloudtraced.log")[-2000:])
    log = lab.log("cloudtraced.log")
    tap.same(log.count(": attached to session "), 4, "it read both sessions of both nodes")
tap.done()
