#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The stalled stop-and-copy of f-long-stopcopy, live at real speed: alerted within limit + live timer +
1 s, with the side and what was last seen; resolved afterwards."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import Lab, Tap, corpus, side_by_side, wait_for  # noqa: E402

LIVE_TIMER = 0.5
tap = Tap()


def stalled(lab):
    return [a for a in lab.json("alert", "list") if a["rule"] == "migration-stalled"]


def run(scenario, cut_off):
    name = scenario + (", relayd killed" if cut_off else "")
    with Lab() as lab:
        relayd = lab.relayd()
        lab.daemon("--reply-timeout=1s")
        lab.replay("--live-timer", "500ms", "--now", corpus(f"qemu/{scenario}"), wait=False)
        m = wait_for(lambda: [m for m in lab.json("migration", "list") if m["stage"] == "stop-and-copy"], 30)
        if not tap.ok(m, f"{name}: stop-and-copy is seen", lab.log("cloudtraced.log")):
            return
        begun = next(s["start_ns"] for s in m[0]["stages"] if s["name"] == "stop-and-copy") / 1e9
        if cut_off:
            relayd.kill()
        alert = wait_for(lambda: stalled(lab), 12, 0.02)
        seen = time.time()
        if not tap.ok(alert, f"{name}: an alert is raised", lab.log("cloudtraced.log")):
            return
        limit = alert[0]["start_ns"] / 1e9 - begun
        late = seen - begun - limit
        tap.ok(late <= LIVE_TIMER + 1, f"{name}: within limit + live timer + 1 s",
               f"limit {limit:.2f} s, {late:.2f} s after it")
        print(f"# {name}: limit {limit:.2f} s, alert {late:.2f} s after it")
        tap.same((alert[0]["state"], alert[0]["severity"]), ("firing", "critical"), f"{name}: it is firing")
        tap.ok("source" in alert[0]["text"] and "last seen" in alert[0]["text"] and "qemu:" in alert[0]["text"],
               f"{name}: it names the side and what was last seen", alert[0]["text"])
        if not cut_off:
            tap.ok(wait_for(lambda: stalled(lab)[0]["state"] == "resolved", 30, 0.2), f"{name}: it is resolved")


side_by_side((lambda: run("f-long-stopcopy", False), lambda: run("f-long-stopcopy", True)))
tap.done()
