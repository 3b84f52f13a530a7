#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Alerts reach their receivers: a real Alertmanager, one that is down at first, a webhook that refuses for a
while, a program; and nothing is lost when the daemon is killed meanwhile."""
import http.server
import json
import os
import signal
import sqlite3
import sys
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import Lab, Tap, corpus, free_ports, wait_for  # noqa: E402

LIVE_TIMER = 0.5
tap = Tap()


class Hook(http.server.BaseHTTPRequestHandler):
    """Refuses until it is told not to."""
    got, refused, well = [], 0, False

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if Hook.well:
            Hook.got.append(json.loads(body))
        else:
            Hook.refused += 1
        self.send_response(200 if Hook.well else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Alertmanager:
    def __init__(self, lab, name, port):
        self.lab, self.name, self.port = lab, name, port

    def start(self):
        config = self.lab.path(f"{self.name}.yml")
        with open(config, "w") as file:
            file.write("route: {receiver: none}\nreceivers: [{name: none}]\n")
        self.process = self.lab.start(
            ["prometheus-alertmanager", f"--config.file={config}", f"--storage.path={self.lab.path(self.name)}",
             f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address="], f"{self.name}.log")
        return self

    def alerts(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v2/alerts", timeout=5) as reply:
                return [a for a in json.load(reply) if a["labels"]["alertname"] == "migration-stalled"]
        except OSError:
            return []

    def up(self):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5).close()
            return True
        except OSError:
            return False


def stages(lab):
    return [s for m in lab.json("migration", "list") for s in m["stages"] if s["name"] == "stop-and-copy"]


def waiting(lab, receiver):
    """How many alerts the store keeps for a receiver."""
    with sqlite3.connect(f"file:{lab.path('store.db')}?mode=ro", uri=True) as db:
        return db.execute("SELECT count(*) FROM delivery WHERE receiver = ? AND NOT done",
                          [receiver]).fetchone()[0]


def told(lab):
    try:
        with open(lab.path("told")) as file:
            return [json.loads(line) for line in file]
    except OSError:
        return []


def running(lab):
    """Whether the slow program runs; who is dead but not waited for does not."""
    try:
        with open(lab.path("pid")) as file, open(f"/proc/{int(file.read())}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (OSError, ValueError):
        return False


with Lab() as lab:
    am_port, late_port = free_ports(2)
    hook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    script = lab.path("page")
    with open(script, "w") as file:
        file.write(f'#!/bin/sh\n[ "$1 $2" = "--from cloud" ] && cat >>{lab.path("told")}\n')
    os.chmod(script, 0o755)
    slow = lab.path("slow")
    with open(slow, "w") as file:
        file.write(f'#!/bin/sh\necho $$ >{lab.path("pid")}\nexec sleep 1000\n')
    os.chmod(slow, 0o755)
    with open(lab.path("conf"), "w") as file:
        file.write(f"""
[receiver am]
type = alertmanager
url = http://127.0.0.1:{am_port}/
resend = 1s
[receiver late]
type = alertmanager
url = http://127.0.0.1:{late_port}
retry-min = 200ms
retry-max = 1s
resend = 60s
[receiver hook]
type = webhook
url = http://127.0.0.1:{hook.server_port}/alerts
rules = migration-*
retry-min = 200ms
retry-max = 500ms
[receiver page]
type = exec
command = {script} --from cloud
severity = critical
[receiver slow]
type = exec
command = {slow}
timeout = 1h
severity = critical
[receiver gone]
type = exec
command = {lab.path("gone")}
severity = critical
[alert migration-stalled]
labels = team=cloud
""")
    am = Alertmanager(lab, "am", am_port).start()
    late = Alertmanager(lab, "late", late_port)
    lab.relayd()
    daemon = lab.daemon(f"--config={lab.path('conf')}", "--reply-timeout=1s")
    if not tap.ok(wait_for(am.up, 20), "Alertmanager runs", lab.log("am.log")):
        tap.done()
    lab.replay("--live-timer", "500ms", "--now", corpus("qemu/f-long-stopcopy"), wait=False)
    begun = wait_for(lambda: stages(lab), 40)
    got = wait_for(am.alerts, 20, 0.02)
    seen = time.time()
    if not tap.ok(got, "the stalled stop-and-copy reaches Alertmanager", lab.log("cloudtraced.log")):
        tap.done()
    alert = [a for a in lab.json("alert", "list") if a["rule"] == "migration-stalled"][0]
    after = seen - alert["start_ns"] / 1e9
    tap.ok(after <= LIVE_TIMER + 1, "within limit + live timer + 1 s", f"{after:.2f} s after its limit")
    print(f"# at Alertmanager {after:.2f} s after the limit was reached")
    tap.ok(got[0]["labels"]["team"] == "cloud" and got[0]["labels"]["severity"] == "critical" and
           "stop-and-copy" in got[0]["annotations"]["summary"], "with labels and text", got)
    tap.ok("the guest has been stopped on compute-01" in got[0]["annotations"].get("why", ""),
           "and why", got[0]["annotations"])
    late.start()
    tap.ok(wait_for(late.alerts, 20, 0.1), "one that was down gets it when it is back", lab.log("late.log"))
    tap.ok(wait_for(lambda: told(lab), 10), "the program is told", lab.log("cloudtraced.log"))
    tap.ok(wait_for(lambda: not am.alerts(), 40, 0.2), "it is resolved there afterwards", am.alerts())
    tap.ok(wait_for(lambda: not late.alerts(), 20, 0.2), "and at the other one", late.alerts())
    tap.ok(wait_for(lambda: len(told(lab)) == 2, 10), "the program hears of the end", told(lab))
    tap.same([a["state"] for a in told(lab)], ["firing", "resolved"], "in order")
    tap.ok(Hook.refused > 3 and not Hook.got, "the webhook refuses all the time", Hook.refused)
    text = lab.json("raw", "status")
    tap.ok("gone: No such file" in lab.log("cloudtraced.log"), "a program that is not there is said to be so")
    tap.ok(running(lab), "a slow program runs")
    # Whoever is killed between a program's end and the note of it tells it again.
    wait_for(lambda: not waiting(lab, "page"), 10)
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    tap.ok(wait_for(lambda: not running(lab), 5), "and is gone with the daemon that is killed")
    daemon = lab.daemon(f"--config={lab.path('conf')}", "--reply-timeout=1s")
    Hook.well = True
    wait_for(lambda: Hook.got, 10)
    time.sleep(1.5)
    posts = [a for p in Hook.got for a in p["alerts"]]
    tap.same([a["status"] for a in posts if a["labels"]["alertname"] == "migration-stalled"],
             ["firing", "resolved"], "after kill -9 it gets begin and end, once each")
    first = Hook.got[0]
    tap.ok(first["version"] == "4" and first["receiver"] == "hook" and first["groupLabels"] and
           first["truncatedAlerts"] == 0 and len(first["alerts"][0]["fingerprint"]) == 16,
           "in the form of version 4", first)
    tap.ok(len(told(lab)) == 2, "the program is not told again", told(lab))
    daemon.terminate()
    tap.same(daemon.wait(10), 0, "it ends as it should")
    tap.ok(not running(lab), "and so does the slow program that was begun again")
    hook.shutdown()
tap.done()
