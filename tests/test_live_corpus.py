#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The same store, whether read from disk, live through a real relayd, or live with kill -9 in the
middle."""
import functools
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import Lab, Tap, corpus, difference, side_by_side, wait_for  # noqa: E402

SPEED = "8"
tap = Tap()


def settled(lab, wanted):
    """Waits until the store is what is wanted, or no longer changes."""
    wait_for(lambda: lab.dump_store() == wanted, 15, 0.2)
    return lab.dump_store()


def live(name, kill):
    with Lab() as lab:
        folder = corpus(name if "/" in name else f"qemu/{name}")
        # Beside the traces there is the truth.
        traces = os.path.join(folder, "ctf") if os.path.isdir(os.path.join(folder, "ctf")) else folder
        lab.read(traces, store="disk.db")
        wanted = lab.dump_store("disk.db")
        lab.relayd()
        options = ["--lost-after=1s", "--history=3650d"]
        daemon = lab.daemon(*options)
        replay = lab.replay("--speed", SPEED, "--live-timer", "200ms", "--hold", "1s", traces, wait=False)
        kills = 0
        rng = random.Random(name)
        while kill and replay.poll() is None and kills < 4:
            time.sleep(rng.uniform(0.3, 0.9))
            daemon.kill()
            daemon.wait()
            kills += 1
            daemon = lab.daemon(*options)
        replay.wait(timeout=60)
        tap.same(replay.returncode, 0, f"{name}: published")
        got = settled(lab, wanted)
        how = f"live with {kills} times kill -9" if kill else "live"
        tap.ok(got == wanted, f"{name}: the same store {how}",
               difference(wanted, got) + "\n" + lab.log("cloudtraced.log"))
        tap.same(daemon.poll(), None, f"{name}: the daemon still runs")


SCENARIOS = ("b-rounds", "c-cancel", "e-destination-killed", "f-long-stopcopy", "g-postcopy",
             "h-two-and-back", "q10-b-rounds", "openstack/livemig-abort", "full/fs-livemig-busy",
             "kernel/b-upcall-storm-churn", "kernel/f-live-migration")
side_by_side(functools.partial(live, scenario, kill)
             for scenario in sys.argv[1:] or SCENARIOS for kill in (False, True))
tap.done()
