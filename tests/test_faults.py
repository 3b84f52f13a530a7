#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What goes wrong on a real network: the daemon never blocks, never exits, shows it, and goes on."""
import os
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import CLOUDTRACED, Lab, Tap, corpus, free_ports, side_by_side, wait_for  # noqa: E402

tap = Tap()
FAST = ("--history=3650d", "--reply-timeout=500ms", "--dead-timeout=20s", "--backoff-max=300ms",
        "--lost-after=1s")


def states(lab):
    return [s["state"] for n in lab.json("node", "list") for s in n["sources"]]


def completed(lab, count=1):
    found = [m for m in lab.json("migration", "list") if m["status"] == "completed"]
    return len(found) >= count and found


def answers(lab, what):
    before = time.monotonic()
    code = lab.ctl("status")[0]
    took = time.monotonic() - before
    tap.ok(code == 0 and took < 1.5, f"{what}: status answers at once", f"exit {code} after {took:.2f} s")


def relayd_killed():
    with Lab() as lab:
        relayd = lab.relayd()
        daemon = lab.daemon(*FAST)
        lab.replay("--speed", "2", "--live-timer", "200ms", corpus("qemu/b-rounds"), wait=False)
        tap.ok(wait_for(lambda: "live" in states(lab), 10), "relayd killed: first it is live")
        relayd.kill()
        relayd.wait()
        tap.ok(wait_for(lambda: "live" not in states(lab) and "lost" in states(lab), 10),
               "relayd killed: the source is shown as lost", lab.log("cloudtraced.log"))
        answers(lab, "relayd killed")
        lab.relayd()
        lab.replay("--speed", "10", "--live-timer", "200ms", "--hold", "1s", corpus("qemu/m-explicit"))
        tap.ok(wait_for(lambda: completed(lab), 15), "relayd restarted: goes on by itself",
               lab.log("cloudtraced.log"))
        tap.same(daemon.poll(), None, "relayd killed: the daemon still runs")


def relayd_frozen():
    with Lab() as lab:
        relayd = lab.relayd()
        lab.daemon(*FAST)
        lab.replay("--speed", "3", "--live-timer", "200ms", "--hold", "1s", corpus("qemu/b-rounds"), wait=False)
        tap.ok(wait_for(lambda: "live" in states(lab), 10), "relayd frozen: first it is live")
        relayd.send_signal(signal.SIGSTOP)
        tap.ok(wait_for(lambda: "lost" in states(lab), 10), "relayd frozen: shown",
               lab.log("cloudtraced.log"))
        answers(lab, "relayd frozen")
        time.sleep(10)
        answers(lab, "relayd frozen for 10 s")
        relayd.send_signal(signal.SIGCONT)
        tap.ok(wait_for(lambda: completed(lab), 30), "relayd goes on: so do we", lab.log("cloudtraced.log"))
        m = lab.json("migration", "list")[0]
        tap.same((m["dirty_syncs"], m["evidence"]["lost"]), (9, 0), "relayd frozen: nothing was lost")


def session_again():
    with Lab() as lab:
        lab.relayd()
        lab.daemon(*FAST)
        for n, name in enumerate(("m-explicit", "a-idle", "q10-m-explicit"), 1):
            lab.replay("--speed", "10", "--live-timer", "200ms", "--hold", "500ms", corpus(f"qemu/{name}"))
            tap.ok(wait_for(lambda: completed(lab, n), 15), f"session destroyed and made again: {n}",
                   lab.log("cloudtraced.log"))
        tap.ok(wait_for(lambda: set(states(lab)) == {"gone"}, 10), "ended sessions are shown as gone",
               str(states(lab)))


def second_viewer():
    with Lab() as lab:
        lab.relayd()
        first = lab.start([CLOUDTRACED, f"--relayd=127.0.0.1:{lab.live}", f"--store={lab.path('first.db')}",
                           f"--socket={lab.path('first.sock')}", "--ro-socket=", "--list-interval=100ms"],
                          "first.log")
        lab.replay("--speed", "1.5", "--live-timer", "200ms", "--hold", "3s", corpus("qemu/b-rounds"), wait=False)
        wait_for(lambda: "attached" in lab.log("first.log"), 10)
        lab.daemon(*FAST)
        tap.ok(wait_for(lambda: "busy" in states(lab), 10), "another viewer holds the session: busy is shown",
               lab.log("cloudtraced.log"))
        first.send_signal(signal.SIGTERM)
        tap.same(first.wait(timeout=10), 0, "the first viewer stops on SIGTERM")
        tap.ok(wait_for(lambda: completed(lab), 30), "the session is taken over", lab.log("cloudtraced.log"))


def clock_ahead():
    with Lab() as lab:
        lab.relayd()
        lab.daemon(*FAST)
        lab.replay("--speed", "10", "--live-timer", "200ms", "--hold", "500ms", "--now",
                   "--shift", "compute-02=3h", corpus("qemu/b-rounds"))
        found = wait_for(lambda: completed(lab), 15)
        tap.ok(found, "a node's clock is 3 h ahead: the migration is seen", lab.log("cloudtraced.log"))
        if found:
            m = found[0]
            tap.same((m["source"], m["destination"]), ("compute-01", "compute-02"), "and both sides are joined")
            tap.ok(m["blackout_ns"] is None or m["blackout_ns"] < 60e9, "no blackout of hours", str(m))


def garbage():
    """A port that answers nonsense, and one that never answers."""
    with Lab() as lab:
        lab.relayd()
        bad, mute = free_ports(2)
        stop = threading.Event()

        def serve(port, reply):
            s = socket.create_server(("127.0.0.1", port))
            s.settimeout(0.2)
            held = []
            while not stop.is_set():
                try:
                    c, _ = s.accept()
                    held.append(c)
                    if reply:
                        c.sendall(reply)
                except OSError:
                    pass
        threads = [threading.Thread(target=serve, args=(bad, os.urandom(4096))),
                   threading.Thread(target=serve, args=(mute, b""))]
        for t in threads:
            t.start()
        try:
            daemon = lab.daemon(*FAST, f"--relayd=127.0.0.1:{bad}", f"--relayd=127.0.0.1:{mute}")
            lab.replay("--speed", "10", "--live-timer", "200ms", "--hold", "500ms", corpus("qemu/m-explicit"))
            tap.ok(wait_for(lambda: completed(lab), 15), "bad relayds do not disturb a good one",
                   lab.log("cloudtraced.log"))
            log = lab.log("cloudtraced.log")
            tap.ok(f":{bad}" in log and f":{mute}" in log, "both bad relayds are named in the log", log)
            tap.same(daemon.poll(), None, "garbage: the daemon still runs")
        finally:
            stop.set()
            for t in threads:
                t.join()


side_by_side((relayd_killed, relayd_frozen, session_again, second_viewer, clock_ahead, garbage))
tap.done()
