#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""TCP with TLS: certificates and roles, and what a stranger, a slow or a broken client can do."""
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from certificates import Authority  # noqa: E402
from harness import CLOUDTRACED, CTL, TOP, Lab, Tap, wait_for  # noqa: E402

warnings.simplefilter("ignore", DeprecationWarning)
tap = Tap()


def port_of(lab, kind):
    found = wait_for(lambda: re.search(kind + r"=127\.0\.0\.1:(\d+)", lab.log("cloudtraced.log")), 10)
    return int(found.group(1))


with open(CLOUDTRACED, "rb") as program:
    # A sanitizer's own memory is not what is measured.
    MIB = 1 << 24 if b"__asan_init" in program.read() else 1 << 20


def resident(process):
    with open(f"/proc/{process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class Client:
    """Lines over TLS."""

    def __init__(self, port, ca, certificate=None, buffer=None, version=None):
        context = ssl.create_default_context(cafile=ca.pem)
        if version:
            context.minimum_version = context.maximum_version = version
        if certificate:
            context.load_cert_chain(*certificate)
        raw = socket.socket()
        if buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        raw.settimeout(20)
        raw.connect(("127.0.0.1", port))
        self.socket = context.wrap_socket(raw, server_hostname="127.0.0.1")
        self.bytes = b""

    def line(self):
        while b"\n" not in self.bytes:
            got = self.socket.recv(65536)
            if not got:
                return None
            self.bytes += got
        line, self.bytes = self.bytes.split(b"\n", 1)
        return json.loads(line)

    def ask(self, method, **params):
        self.socket.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                                        "params": params}).encode() + b"\n")
        return self.line()

    def close(self):
        self.socket.close()


def refused(port, ca, certificate=None, **more):
    """What the client hears, as text."""
    try:
        client = Client(port, ca, certificate, **more)
        got = client.line()
        client.close()
        return json.dumps(got)
    except (ssl.SSLError, OSError) as error:
        return str(error)


def hear(port, data):
    """What comes back for plain bytes."""
    with socket.create_connection(("127.0.0.1", port), 20) as plain:
        plain.sendall(data)
        got = b""
        while True:
            try:
                more = plain.recv(65536)
            except OSError:
                break
            if not more:
                break
            got += more
    return got.decode(errors="replace")


def ctl(lab, port, ca, *argv, certificate=None):
    more = ["--cert", certificate[0], "--key", certificate[1]] if certificate else []
    r = subprocess.run([CTL, "--connect", f"127.0.0.1:{port}", "--ca", ca.pem, *more, *argv],
                       capture_output=True, text=True, timeout=30)
    return r.returncode, r.stdout, r.stderr


def certificates(lab, port, ca, other, reader, operator):
    code, out, err = ctl(lab, port, ca, "-o", "json", "status", certificate=reader)
    tap.ok(code == 0 and json.loads(out)["server"]["live"], "cloudtracectl --connect with a certificate", err)
    code, out, err = ctl(lab, port, ca, "status")
    tap.ok(code == 4 and "certificate of yours" in err, "without one: it says what is missing", err)
    code, out, err = ctl(lab, port, other, "status", certificate=reader)
    tap.ok(code == 4 and "certificate is refused" in err, "the daemon's certificate is checked", err)
    code, out, err = ctl(lab, port, ca, "status", certificate=other.sign("stranger"))
    tap.ok(code == 4 and "authority did not sign" in err, "signed by somebody else: refused", err)
    code, out, err = ctl(lab, port, ca, "status", certificate=ca.sign("old", days="-1"))
    tap.ok(code == 4 and "expired" in err, "expired: refused", err)
    text = refused(port, ca, ca.sign("nobody"))
    tap.ok("has a role here" in text, "a certificate without a role: refused in a line", text)
    hello = Client(port, ca, reader).line()["params"]
    tap.same(hello["access"], "ro", "a reader by its common name")
    hello = Client(port, ca, operator).line()["params"]
    tap.same(hello["access"], "rw", "an operator by its subjectAltName")
    text = refused(port, ca, reader, version=ssl.TLSVersion.TLSv1_1)
    tap.ok("jsonrpc" not in text, "TLS 1.1 is not spoken", text)
    client = Client(port, ca, reader, version=ssl.TLSVersion.TLSv1_2)
    tap.ok(client.line()["method"] == "hello", "TLS 1.2 is")
    log = lab.log("cloudtraced.log")
    tap.ok("client refused: from=127.0.0.1:" in log and "certificate" in log, "the log says who and why", log)


def strangers(lab, daemon, port, ca, reader):
    for what, data in (("a request of HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
                       ("JSON-RPC", b'{"jsonrpc":"2.0","id":1,"method":"status"}\n')):
        text = hear(port, data)
        tap.ok("speaks TLS only" in text, f"{what} in plain: refused in a line", text)
    tap.ok("jsonrpc" not in hear(port, b"\x16\x03\x01\x00\x05hello" + os.urandom(4000)), "noise after a TLS header")
    began = time.monotonic()
    text = hear(port, b"\x16")
    tap.ok(text == "" and 0.5 < time.monotonic() - began < 8, "a half-open connection is closed in time")
    fine = Client(port, ca, reader)
    fine.line()
    idle = []
    for _ in range(1000):
        s = socket.socket()
        s.settimeout(5)
        s.connect(("127.0.0.1", port))
        idle.append(s)
        if len(idle) % 100 == 0:
            assert fine.ask("echo", data=len(idle))["result"] == len(idle)
    tap.ok(Client(port, ca, reader).line()["method"] == "hello", "1000 idle connections: another comes in")
    tap.ok(fine.ask("status")["result"], "and who was there is served")
    tap.same(lab.ctl("status")[0], 0, "and so is the Unix socket")
    tap.ok(resident(daemon) < 64 * MIB, "memory is bounded", resident(daemon))
    for s in idle:
        s.close()


def slow_and_broken(lab, daemon, port, ca, reader):
    fine = Client(port, ca, reader)
    fine.line()
    clients = []
    while True:
        client = Client(port, ca, reader)
        hello = client.line()
        clients.append(client)
        if "error" in hello or len(clients) > 40:
            break
    tap.ok("of your user" in json.dumps(hello) and len(clients) <= 16,
           "connections of one certificate are limited, in a line", hello)
    for client in clients:
        client.close()
    time.sleep(0.2)
    before = resident(daemon)
    slow = [Client(port, ca, reader, buffer=4096) for _ in range(8)]
    for client in slow:
        client.socket.setblocking(False)
        try:
            for _ in range(4000):
                client.socket.send(b'{"jsonrpc":"2.0","id":1,"method":"describe"}\n')
        except (ssl.SSLError, OSError):
            pass
    worst = 0
    for _ in range(50):
        began = time.monotonic()
        assert fine.ask("echo", data=1)["result"] == 1
        worst = max(worst, time.monotonic() - began)
    tap.ok(worst < 0.5, "slow readers: others are answered at once", worst)
    tap.ok(resident(daemon) - before < 48 * MIB, "and memory is bounded", resident(daemon) - before)
    for client in slow:
        client.close()
    for what, data, kind in (("an oversized line", b"x" * (1 << 20) + b"yz", "too-large"),
                             ("a malformed line", b"{]\n", "parse")):
        client = Client(port, ca, reader)
        client.line()
        client.socket.sendall(data)
        got = client.line()
        tap.same(got["error"]["data"]["kind"], kind, f"{what} is refused")
        client.close()
    tap.ok(fine.ask("status")["result"], "others go on")


def reload(lab, daemon, port, ca, reader):
    """Other certificates and roles without a restart, and nobody is cut off."""
    fine = Client(port, ca, reader)
    fine.line()
    with open(lab.path("conf"), "a") as file:
        file.write("tls-operators = reader\npatience = 3s\n")
    daemon.send_signal(signal.SIGHUP)
    tap.ok(wait_for(lambda: "was read again" in lab.log("cloudtraced.log"), 5), "SIGHUP reads the file again")
    tap.ok("patience changed: it is taken over at the next start" in lab.log("cloudtraced.log"),
           "it says what needs a restart", lab.log("cloudtraced.log"))
    tap.same(Client(port, ca, reader).line()["params"]["access"], "rw", "a new role is taken over")
    tap.ok(fine.ask("status")["result"], "who was there stays")
    with open(lab.path("conf"), "a") as file:
        file.write("tls-key = /nowhere\n")
    daemon.send_signal(signal.SIGHUP)
    tap.ok(wait_for(lambda: "is not taken over: tls-key: /nowhere" in lab.log("cloudtraced.log"), 5),
           "a file with a mistake is not", lab.log("cloudtraced.log"))
    demoted = Client(port, ca, reader)
    tap.same(demoted.line()["params"]["access"], "rw", "and all goes on as before")
    with open(lab.path("conf"), "a") as file:
        file.write(f"tls-key = {lab.path('server.key')}\ntls-operators = operator@example.org\n")
    daemon.send_signal(signal.SIGHUP)
    tap.ok(demoted.line() is None and fine.ask("status")["result"], "who lost a role is cut off, others are not")


def revoked(lab, daemon, port, ca, reader, other):
    """Lists of revoked certificates, read again by SIGHUP."""
    def use(path, times):
        with open(lab.path("conf"), "a") as file:
            file.write(f"tls-key = {lab.path('server.key')}\ntls-crl = {path}\n")
        daemon.send_signal(signal.SIGHUP)
        return wait_for(lambda: lab.log("cloudtraced.log").count("was read again") == times, 5)
    fine = Client(port, ca, other)
    fine.line()
    tap.ok(use(ca.revoke(), 3), "SIGHUP with an empty list of revoked certificates", lab.log("cloudtraced.log"))
    going = Client(port, ca, reader)
    tap.ok(going.line()["method"] == "hello", "nobody is on it")
    ca.revoke(reader[0])
    tap.ok(use(lab.path("authority.crl"), 4), "SIGHUP reads the list again")
    tap.ok(going.line() is None, "who is on it by now is cut off")
    tap.ok(wait_for(lambda: "certificate revoked, name=reader" in lab.log("cloudtraced.log"), 5), "the log says so",
           lab.log("cloudtraced.log"))
    code, _, err = ctl(lab, port, ca, "status", certificate=reader)
    tap.ok(code == 4 and "revoked" in err, "a revoked certificate is refused", err)
    tap.ok(Client(port, ca, other).line()["method"] == "hello" and fine.ask("status")["result"],
           "others are served")
    with open(lab.path("conf"), "a") as file:
        file.write(f"tls-crl = {ca.pem}\n")
    daemon.send_signal(signal.SIGHUP)
    tap.ok(wait_for(lambda: "is not taken over: tls-crl" in lab.log("cloudtraced.log"), 5),
           "a file without a list is not taken over", lab.log("cloudtraced.log"))
    tap.ok("revoked" in ctl(lab, port, ca, "status", certificate=reader)[2], "and the old list stays")


def example(lab, port, ca, reader):
    p = lab.start(["/usr/bin/python3", os.path.join(TOP, "contrib/watch.py"), f"127.0.0.1:{port}", ca.pem, *reader],
                  "example.log")
    time.sleep(0.5)
    tap.ok(p.poll() is None and not lab.log("example.log"), "the Python example connects", lab.log("example.log"))


with Lab() as lab:
    authority, stranger = Authority(lab.dir), Authority(lab.dir, "another")
    server = authority.sign("server", "cloudtraced", "IP:127.0.0.1,DNS:localhost")
    reading = authority.sign("reader")
    operating = authority.sign("alice", "Alice", "DNS:x.example,email:operator@example.org")
    with open(lab.path("conf"), "w") as conf:
        conf.write(f"tls-listen = 0\ntls-certificate = {server[0]}\ntls-key = {server[1]}\n"
                   f"tls-authority = {authority.pem}\ntls-readers = reader other\n"
                   "tls-operators = operator@example.org\nhandshake-timeout = 1s\n")
    running = lab.daemon(f"--config={lab.path('conf')}")
    tls = port_of(lab, "lines")
    certificates(lab, tls, authority, stranger, reading, operating)
    strangers(lab, running, tls, authority, reading)
    slow_and_broken(lab, running, tls, authority, reading)
    example(lab, tls, authority, reading)
    reload(lab, running, tls, authority, reading)
    revoked(lab, running, tls, authority, reading, authority.sign("other"))
    running.terminate()
    tap.same(running.wait(10), 0, "it ends as it should")
tap.done()
