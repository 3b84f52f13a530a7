#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Alerts on their way: silences that outlive a restart, the systemd journal, a program whose arguments and
alerts are hostile, one that hangs; and `alert test` over a store and over traces."""
import http.server
import json
import os
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import CLOUDTRACED, Lab, Tap, corpus, wait_for  # noqa: E402

TRACE = "openstack/create-novalidhost"
tap = Tap()


class Hook(http.server.BaseHTTPRequestHandler):
    got = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        now = time.time_ns()
        Hook.got += [(now, a["status"], a["labels"]["alertname"]) for a in body["alerts"]]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def told(rule):
    return [(at, status) for at, status, name in Hook.got if name == rule]


class Journal(threading.Thread):
    """Takes what sd_journal_send(3) sends."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        os.mkdir(folder)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(os.path.join(folder, "socket"))
        self.entries = []
        self.start()

    def run(self):
        while True:
            data, entry = self.socket.recv(1 << 16), {}
            while data:
                name, _, data = data.partition(b"\n")
                if b"=" in name:
                    name, _, value = name.partition(b"=")
                else:
                    size = int.from_bytes(data[:8], "little")
                    value, data = data[8:8 + size], data[8 + size + 1:]
                entry[name.decode()] = value.decode()
            self.entries.append(entry)


PROGRAM = """#!/usr/bin/python3 -I
import json, os, sys, time
where = {where!r}
if not os.path.exists(where + ".hung"):
    open(where + ".hung", "w").write(str(os.getpid()))
    time.sleep(1000)
with open(where, "a") as file:
    file.write(json.dumps([sys.argv[1:], dict(os.environ), sys.stdin.read()]) + "\\n")
"""


def lines(path):
    try:
        with open(path) as file:
            return [json.loads(line) for line in file]
    except OSError:
        return []


def daemon(lab, conf):
    """With a journal of its own where root can make one."""
    argv = [CLOUDTRACED, f"--config={conf}"]
    if os.geteuid() == 0:
        argv = ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /run && mkdir -p /run/systemd/journal && "
                f"mount --bind {lab.path('journal')} /run/systemd/journal && exec \"$@\"", "sh", *argv]
    p = lab.start(argv, "cloudtraced.log", env=dict(os.environ, SECRET="x"))
    wait_for(lambda: lab.ctl("status")[0] == 0, 10)
    return p


def is_gone(path):
    with open(path) as file:
        return not os.path.exists(f"/proc/{file.read()}")


def deliveries(lab, hook):
    journal = Journal(lab.path("journal"))
    program, where, conf = lab.path("page"), lab.path("told"), lab.path("conf")
    with open(program, "w") as file:
        file.write(PROGRAM.format(where=where))
    os.chmod(program, 0o755)
    with open(conf, "w") as file:
        file.write(f"""relayd = 127.0.0.1:{lab.live}
store = {lab.path('store.db')}
socket = {lab.path('control.sock')}
ro-socket =
list-interval = 100ms
[receiver hook]
type = webhook
url = http://127.0.0.1:{hook.server_port}/
retry-min = 100ms
[receiver journal]
type = journal
[receiver page]
type = exec
command = {program} --to $(touch\tpwned) `id` a;b|c>d "q 'r %s {{text}} ../x *
rules = request-*
timeout = 1s
retry-min = 100ms
[alert request-failed]
text = {{kind}}'; touch pwned; $(touch pwned) "{{request_id}}"
""")
    lab.relayd()
    running = daemon(lab, conf)
    silence = json.loads(lab.ctl("-o", "json", "alert", "silence", "8s", "known", "--rule", "no-valid-host")[1])
    lab.replay("--speed", "20", "--now", "--live-timer", "200ms", "--hold", "500ms", corpus(TRACE), wait=False)
    tap.ok(wait_for(lambda: told("request-failed"), 20), "an alert is told", lab.log("cloudtraced.log"))
    rules = wait_for(lambda: "no-valid-host" in str(got := lab.json("alert", "list")) and got, 20)
    silenced = [a for a in rules or [] if a["rule"] == "no-valid-host"]
    tap.ok(silenced, "(there is a silenced one)", rules)
    tap.ok([s["comment"] for s in lab.json("alert", "silences")] == ["known"], "silences are listed")
    tap.ok(wait_for(lambda: lines(where), 20, 0.1), "a program that hung is killed, and called again",
           lab.log("cloudtraced.log"))
    tap.ok(wait_for(lambda: is_gone(where + ".hung"), 5), "(it is no more)")
    running.send_signal(signal.SIGKILL)
    running.wait()
    running = daemon(lab, conf)
    tap.ok(wait_for(lambda: told("no-valid-host"), 40, 0.1), "when the silence is over it is told, after kill -9 too",
           lab.log("cloudtraced.log"))
    first = min(at for at, _ in told("no-valid-host"))
    tap.ok(first >= silence["end_ns"], "and not before", (first - silence["end_ns"]) / 1e9)

    for argv, environment, text in lines(where):
        tap.same(argv, ["--to", "$(touch", "pwned)", "`id`", "a;b|c>d", '"q', "'r", "%s", "{text}", "../x", "*"],
                 "its arguments are words, whatever they say")
        tap.ok("SECRET" not in environment and "/usr/bin" in environment["PATH"], "its environment is small",
               environment)
        alert = json.loads(text)
        tap.ok(text.count("\n") == 1 and "'; touch pwned; $(touch pwned) \"req-" in alert["text"],
               "the alert is a line of JSON on its standard input", text)
    tap.ok(not os.path.exists(lab.path("pwned")), "nothing of it was run")

    if os.geteuid() == 0:
        entries = wait_for(lambda: [e for e in journal.entries if e.get("CLOUDTRACE_RULE") == "request-failed"], 10)
        tap.ok(entries and entries[0]["CLOUDTRACE_STATE"] == "firing" and entries[0]["PRIORITY"] == "4" and
               entries[0]["MESSAGE"].startswith("alert request-failed firing: ") and
               len(entries[0]["MESSAGE_ID"]) == 32, "the journal has it, with fields", journal.entries)
    else:
        tap.ok(True, "the journal # SKIP only root can have one of its own")
    running.terminate()
    tap.same(running.wait(10), 0, "it ends as it should")


def alert_test(lab):
    """Rules over a store and over traces give what a daemon with them would."""
    traces = corpus("kernel/d-vcpu-contention")
    conf = lab.path("rules.conf")
    with open(conf, "w") as file:
        file.write("[alert cpu-contention]\nenabled = no\n[alert noisy-neighbour]\nseverity = critical\n"
                   "when = neighbour_percent >= 45\n")
    lab.read(traces, store="default.db")
    lab.read(traces, store="own.db", options=[f"--config={conf}"])
    default, own = lab.json("alert", "list", store="default.db"), lab.json("alert", "list", store="own.db")
    for alerts in (default, own):
        for alert in alerts:
            alert.pop("seen_ns", None)
    tap.ok({a["rule"] for a in default} == {"noisy-neighbour", "cpu-contention"} and
           {(a["rule"], a["severity"]) for a in own} == {("noisy-neighbour", "critical")} and
           len(own) < len([a for a in default if a["rule"] == "noisy-neighbour"]), "rules make a difference", own)

    def test(where):
        alerts = lab.json("alert", "test", conf, store=where)
        for alert in alerts:
            alert.pop("seen_ns", None)
        return alerts
    before = lab.dump_store("default.db")
    tap.same(test("default.db"), own, "alert test over a store")
    tap.same(lab.dump_store("default.db"), before, "which stays as it is")
    tap.same(test(traces), own, "alert test over traces")
    with open(conf, "a") as file:
        file.write("[alert x]\non = window moon\n")
    code, _, err = lab.ctl("alert", "test", conf, store="default.db")
    tap.ok(code and "[alert x] on: 'window moon'" in err, "a rule with a mistake is named", err)


with Lab() as laboratory:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    deliveries(laboratory, server)
    alert_test(laboratory)
    server.shutdown()
tap.done()
