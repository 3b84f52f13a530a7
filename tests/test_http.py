#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""HTTP: the three paths, who is let in, broken requests, and a real Prometheus that scrapes."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from certificates import Authority  # noqa: E402
from harness import Lab, Tap, corpus, free_ports, wait_for  # noqa: E402

tap = Tap()
READER, OPERATOR = "reader-token-0123456789", "operator-token-9876543210"


def port_of(lab):
    found = wait_for(lambda: re.findall(r"http=\S*:(\d+), tls", lab.log("cloudtraced.log")), 10)
    return int(found[-1])


def ask(port, method, path, body=None, context=None, **headers):
    """Status, headers and text."""
    if context:
        c = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
    else:
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    c.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
    r = c.getresponse()
    text = r.read().decode()
    c.close()
    return r.status, r.headers, text


def rpc(port, method, params=None, **more):
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params or {}})
    status, _, text = ask(port, "POST", "/rpc", body, Content_Type="application/json", **more)
    return json.loads(text) if status == 200 else status


def raw(port, data):
    with socket.create_connection(("127.0.0.1", port), 20) as s:
        s.sendall(data)
        got = b""
        while True:
            more = s.recv(65536)
            if not more:
                return got.decode(errors="replace")
            got += more


class Events:
    """A stream of server-sent events."""

    def __init__(self, port, query, last=None):
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        more = f"Last-Event-ID: {last}\r\n" if last else ""
        self.socket.sendall(f"GET /events?{query} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode())
        self.file = self.socket.makefile("r", encoding="utf-8", newline="\n")
        self.head = []
        while (line := self.file.readline().rstrip("\r\n")):
            self.head.append(line)

    def next(self):
        event = {}
        while True:
            line = self.file.readline()
            if not line:
                return None
            line = line.rstrip("\n")
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                event[name] = value
            elif not line and "data" in event:
                event["data"] = json.loads(event["data"])
                return event

    def close(self):
        self.file.close()
        self.socket.close()


def promtool(text):
    r = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    return r.stdout + r.stderr if r.returncode else ""


def paths(port):
    status, headers, text = ask(port, "GET", "/metrics")
    tap.ok(status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4"), "GET /metrics", text)
    tap.ok(not promtool(text), "promtool finds the metrics good", promtool(text))
    tap.ok("default-src 'self'" in headers["Content-Security-Policy"], "what a page may load is limited")
    tap.ok(rpc(port, "status")["result"]["server"]["live"], "POST /rpc")
    tap.same(rpc(port, "watch", {"topic": "alert"})["error"]["data"]["kind"], "denied", "watch is not for POST")
    tap.same(rpc(port, "nonsense")["error"]["data"]["kind"], "unknown-method", "errors are those of the protocol")
    tap.same(ask(port, "POST", "/rpc", "{}", Content_Type="text/plain")[0], 415, "a body of another type is refused")
    tap.same(ask(port, "GET", "/nowhere")[0], 404, "what is not there")
    tap.same(ask(port, "DELETE", "/metrics")[0], 405, "another method")
    status, headers, text = ask(port, "HEAD", "/metrics")
    tap.ok(status == 200 and not text, "HEAD")
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for _ in range(3):
        c.request("GET", "/")
        r = c.getresponse()
        kept = r.status == 200 and r.read()
    tap.ok(kept, "a connection is kept alive")
    two = raw(port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    tap.same(two.count("HTTP/1.1 200"), 2, "two requests at once")


def callers(port):
    for host, wanted in (("localhost", 200), ("127.0.0.1:1234", 200), ("[::1]:80", 200), (socket.gethostname(), 200),
                         ("cloud.example", 200), ("evil.example", 421), ("127.0.0.1.evil.example", 421)):
        tap.same(ask(port, "GET", "/", Host=host)[0], wanted, f"Host: {host}")
    own = f"127.0.0.1:{port}"
    tap.same(ask(port, "GET", "/", Host=own, Origin=f"http://{own}")[0], 200, "its own Origin")
    tap.same(ask(port, "GET", "/", Origin="http://evil.example")[0], 403, "an Origin of another site")
    tap.same(ask(port, "GET", "/", Origin="null")[0], 403, "an Origin of nobody")


def broken(port):
    for what, data, status in (
            ("no request", b"hello\r\n\r\n", 400), ("two lengths", b"POST /rpc HTTP/1.1\r\nHost: a\r\n"
             b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
            ("chunks", b"POST /rpc HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
            ("a body too large", b"POST /rpc HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n", 413),
            ("a head too large", b"GET / HTTP/1.1\r\nX: " + b"x" * 20000 + b"\r\n\r\n", 431),
            ("too many headers", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 100 + b"\r\n", 431),
            ("a folded header", b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400),
            ("HTTP/2", b"PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n", 505), ("a NUL", b"GET /\0 HTTP/1.1\r\n\r\n", 400),
            ("half a request", b"GET / HTTP/1.1\r\nHost: ", 408)):
        got = raw(port, data)
        tap.ok(got.startswith(f"HTTP/1.1 {status} "), f"{what}: {status}", got)
    tap.same(ask(port, "GET", "/")[0], 200, "others are served")


def events(lab, port):
    stream = Events(port, "topic=migration")
    first = stream.next()
    tap.ok("Content-Type: text/event-stream" in stream.head and first["data"]["items"] == [], "GET /events begins")
    everything = Events(port, "")
    everything.next()
    filtered = Events(port, "topic=migration&" + urllib.parse.urlencode({"host": "nowhere"}))
    filtered.next()
    lab.replay("--now", "--speed", "0", corpus("qemu/a-idle"), wait=False)
    event = stream.next()
    tap.ok(event["event"] == "update" and event["data"]["items"][0]["topic"] == "migration", "an update comes", event)
    tap.ok(everything.next()["data"]["items"], "without a topic everything comes")
    ended = wait_for(lambda: [m for m in lab.json("migration", "list") if m["end_ns"]], 30)
    tap.ok(ended, "the migration ends")
    stream.close()
    again = Events(port, "topic=migration", last=first["id"])
    got = again.next()["data"]
    # A side that was told by itself before its partner was known is taken back: "delete".
    tap.ok("insert" in [item["op"] for item in got["items"]], "Last-Event-ID goes on where it was", got)
    again.close()
    filtered.socket.settimeout(0.3)
    told = []
    try:
        told = [item for item in filtered.next()["data"]["items"] if item["op"] != "delete"]
    except OSError:
        pass
    tap.same(told, [], "the filter leaves out")
    tap.same(ask(port, "GET", "/events?topic=nonsense")[0], 400, "a wrong topic")
    tap.same(ask(port, "GET", "/events?topic=alert&since=x")[0], 400, "a wrong cursor")
    text = ask(port, "GET", "/metrics")[2]
    tap.ok(re.search(r'cloudtraced_migration_duration_seconds_count\{status="completed"\} 1', text),
           "an ended migration is in the histogram", text)
    tap.ok(re.search(r"cloudtraced_migration_running\{vm=[^}]*\} 0", text), "and stays for a scrape", text)
    tap.ok(not promtool(text), "promtool finds all of it good", promtool(text))


def prometheus(lab, port):
    (web,) = free_ports(1)
    with open(lab.path("prometheus.yml"), "w") as file:
        file.write("global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: cloudtraced\n"
                   f"  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n")
    server = lab.start(["prometheus", f"--config.file={lab.path('prometheus.yml')}",
                        f"--storage.tsdb.path={lab.path('tsdb')}", f"--web.listen-address=127.0.0.1:{web}"], "prom.log")

    def query(text):
        try:
            _, _, got = ask(web, "GET", "/api/v1/query?" + urllib.parse.urlencode({"query": text}))
            return json.loads(got)["data"]["result"]
        except (OSError, ValueError, KeyError):
            return []
    up = wait_for(lambda: query("up == 1"), 20, 0.3)
    tap.ok(up, "a real Prometheus scrapes", lab.log("prom.log"))
    count = wait_for(lambda: query('cloudtraced_migration_duration_seconds_count{status="completed"}'), 10, 0.3)
    tap.ok(count and count[0]["value"][1] == "1", "and finds the migration", count)
    server.terminate()


def tokens(lab, daemon, port):
    with open(lab.path("tokens"), "w") as file:
        file.write(f"# role token\nreader {READER}\noperator {OPERATOR}\n")
    with open(lab.path("conf"), "a") as file:
        file.write(f"http-tokens = {lab.path('tokens')}\n")
    daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: "http-tokens is taken over" in lab.log("cloudtraced.log"), 5)
    status, headers, _ = ask(port, "GET", "/metrics")
    tap.ok(status == 401 and "Bearer" in headers["WWW-Authenticate"], "with tokens nobody reads without one")
    tap.same(ask(port, "GET", "/metrics", Authorization="Bearer " + READER[:-1])[0], 401, "a wrong token")
    tap.same(ask(port, "GET", "/metrics", Authorization="Bearer " + READER)[0], 200, "a reader's token")
    tap.same(ask(port, "GET", "/metrics", Authorization="Bearer " + OPERATOR)[0], 200, "an operator's token")


def elsewhere(lab):
    """Not on a loopback address: TLS, and a certificate or a token."""
    authority = Authority(lab.dir)
    server = authority.sign("server", "cloudtraced", "IP:127.0.0.1")
    reader = authority.sign("reader")
    daemon = lab.daemon("--http-listen=0.0.0.0:0", f"--tls-certificate={server[0]}", f"--tls-key={server[1]}",
                        f"--tls-authority={authority.pem}", f"--http-tokens={lab.path('tokens')}")
    port = port_of(lab)
    plain = ssl.create_default_context(cafile=authority.pem)
    known = ssl.create_default_context(cafile=authority.pem)
    known.load_cert_chain(*reader)
    tap.same(ask(port, "GET", "/metrics", context=plain)[0], 401, "elsewhere: nobody without credentials")
    tap.same(ask(port, "GET", "/metrics", context=plain, Authorization="Bearer " + READER)[0], 200, "by a token")
    tap.same(ask(port, "GET", "/metrics", context=known)[0], 200, "by a certificate")
    tap.ok("speaks TLS only" in raw(port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "in plain: refused, it says why")
    daemon.terminate()
    daemon.wait(10)


with Lab() as lab:
    lab.relayd()
    with open(lab.path("conf"), "w") as conf:
        conf.write("http-listen = 0\nhttp-hosts = cloud.example\nhttp-idle = 1s\n")
    running = lab.daemon(f"--config={lab.path('conf')}")
    web_port = port_of(lab)
    paths(web_port)
    callers(web_port)
    broken(web_port)
    events(lab, web_port)
    if shutil.which("prometheus"):
        prometheus(lab, web_port)
    tokens(lab, running, web_port)
    running.terminate()
    tap.same(running.wait(10), 0, "it ends as it should")
    elsewhere(lab)
tap.done()
