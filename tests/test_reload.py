#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""SIGHUP adds and removes relayds while events flow: the store is what it would be anyway."""
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import CLOUDTRACED, Lab, Tap, corpus, difference, wait_for  # noqa: E402
from producer import Relayd  # noqa: E402

tap = Tap()


def configure(lab, *relayds, more=""):
    with open(lab.path("conf"), "w") as file:
        file.write("".join(f"relayd = 127.0.0.1:{port}\n" for port in relayds) +
                   f"store = {lab.path('store.db')}\nsocket = {lab.path('control.sock')}\nro-socket =\n"
                   "list-interval = 100ms\nhistory = 3650d\nlost-after = 60s\n" + more)


def taken_over(lab, daemon):
    times = lab.log("cloudtraced.log").count("was read again")
    daemon.send_signal(signal.SIGHUP)
    return wait_for(lambda: lab.log("cloudtraced.log").count("was read again") > times, 10)


def sources(lab, port):
    return {s["state"]: s for n in lab.json("node", "list") for s in n["sources"]
            if s["relayd"].endswith(f":{port}")}


def publish(lab, control, data, name, speed):
    return lab.start([os.path.join(os.path.dirname(CLOUDTRACED), "cloudtrace-replay"), "--quiet", "--relayd",
                      f"127.0.0.1:{control}:{data}", "--speed", speed, "--live-timer", "200ms", "--hold", "3s",
                      corpus(name)], "replay.log")


def attached(lab, port):
    """How often sessions of that relayd were attached to."""
    return sum(f":{port}: attached to session" in line for line in lab.log("cloudtraced.log").splitlines())


def run(lab, other):
    lab.read(corpus("qemu/b-rounds"), corpus("kernel/f-live-migration"), store="disk.db")
    wanted = lab.dump_store("disk.db")
    configure(lab, lab.live)
    daemon = lab.start([CLOUDTRACED, f"--config={lab.path('conf')}"], "cloudtraced.log")
    wait_for(lambda: lab.ctl("status")[0] == 0, 10)
    first = publish(lab, lab.ctrl, lab.data, "qemu/b-rounds", "4")
    tap.ok(wait_for(lambda: "live" in sources(lab, lab.live), 10), "a relayd that was there from the beginning")
    before = attached(lab, lab.live)

    second = publish(lab, other.control, other.data, "kernel/f-live-migration", "6")
    configure(lab, lab.live, other.live)
    tap.ok(taken_over(lab, daemon), "SIGHUP with one more relayd")
    tap.ok("relayd is taken over" in lab.log("cloudtraced.log"), "it says so", lab.log("cloudtraced.log"))
    tap.ok(wait_for(lambda: sources(lab, other.live).get("live", {}).get("events"), 10),
           "events of the new one come in", lab.log("cloudtraced.log"))

    configure(lab, lab.live)
    tap.ok(taken_over(lab, daemon), "SIGHUP without it")
    gone = wait_for(lambda: set(sources(lab, other.live)) == {"gone"} and sources(lab, other.live)["gone"], 10)
    tap.ok(gone and "taken out of the configuration" in gone["text"], "its source is gone, and why",
           sources(lab, other.live))
    tap.ok(second.poll() is None, "(it was in the middle)")

    configure(lab, lab.live, other.live, more="patience = 4s\n")
    tap.ok(taken_over(lab, daemon), "SIGHUP with it again")
    tap.ok("patience changed: it is taken over at the next start" in lab.log("cloudtraced.log"),
           "what needs a restart is said")
    tap.ok(wait_for(lambda: attached(lab, other.live) > 1, 10), "it is attached again",
           lab.log("cloudtraced.log"))
    for replay in (first, second):
        tap.same(replay.wait(60), 0, "published to the end")
    # Until now its node was not to be given up, however slow this machine is.
    configure(lab, lab.live, other.live, more="lost-after = 1s\n")
    tap.ok(taken_over(lab, daemon), "SIGHUP with another lost-after")
    wait_for(lambda: lab.dump_store() == wanted, 15, 0.2)
    got = lab.dump_store()
    tap.ok(got == wanted, "the same store as from disk: all went on at the very event",
           difference(wanted, got) + "\n" + lab.log("cloudtraced.log"))
    tap.same(attached(lab, lab.live), before, "the other relayd was never let go")
    daemon.terminate()
    tap.same(daemon.wait(10), 0, "it ends as it should")


def check(lab):
    configure(lab, 5344)
    out = subprocess.run([CLOUDTRACED, "-t", f"--config={lab.path('conf')}"], capture_output=True, text=True)
    tap.ok(out.returncode == 0 and out.stdout.splitlines() == [
        "SIGHUP takes over all that changes in this file but: store, socket, ro-socket, list-interval",
        "the configuration is good"], "cloudtraced -t says what SIGHUP leaves", out.stdout + out.stderr)


with Lab() as laboratory:
    laboratory.relayd()
    another = Relayd()
    try:
        run(laboratory, another)
    finally:
        another.close()
    check(laboratory)
tap.done()
