#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The protocol as a client sees it: shapes, limits, hostile input, watches.

Runs tests/serve-fixture (the daemon's serve over a JSON file) and talks to it."""
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time

try:
    import jsonschema
except ImportError:
    jsonschema = None

SRC = os.environ.get("top_srcdir", os.path.join(os.path.dirname(__file__), ".."))
BUILD = os.environ.get("top_builddir", os.getcwd())
FIXTURE = os.path.join(BUILD, "tests", "serve-fixture")
CTL = os.path.join(BUILD, "cloudtracectl")
CLOUD = os.path.join(SRC, "tests", "ctl", "cloud.json")
WAIT = 20


class Daemon:
    """One serve-fixture with both sockets in a folder of its own."""

    def __init__(self, *options, cloud=None, folder=None):
        self.folder = folder or tempfile.mkdtemp(prefix="ct-serve.")
        self.path = os.path.join(self.folder, "control.sock")
        self.ro_path = os.path.join(self.folder, "ro.sock")
        self.file = os.path.join(self.folder, "cloud.json")
        if cloud is None and not os.path.exists(self.file):
            shutil.copy(CLOUD, self.file)
        elif cloud is not None:
            self.write(cloud)
        self.process = subprocess.Popen(
            [FIXTURE, "--store", self.file, "--socket", self.path, "--ro-socket", self.ro_path,
             *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.ready = self.process.stdout.readline() == b"ready\n"

    def write(self, cloud):
        with open(self.file + ".new", "w") as file:
            json.dump(cloud, file)
        os.rename(self.file + ".new", self.file)

    def change(self, cloud):
        self.write(cloud)
        self.process.send_signal(signal.SIGHUP)

    def stop(self, keep=False):
        self.process.terminate()
        try:
            _, text = self.process.communicate(timeout=WAIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        if not keep:
            shutil.rmtree(self.folder)
        assert self.process.returncode == 0, (self.process.returncode, text)
        return text.decode()

    def __enter__(self):
        assert self.ready, self.process.communicate()
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.stop()
        else:
            text = b"" if self.process.stderr.closed else self.process.communicate()[1]
            shutil.rmtree(self.folder, ignore_errors=True)
            if kind is None and text:
                assert self.process.returncode == 0, (self.process.returncode, text)


class Client:
    def __init__(self, path, greeting=True, buffer=None):
        self.socket = socket.socket(socket.AF_UNIX)
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(WAIT)
        self.socket.connect(path)
        self.bytes = b""
        self.id = 0
        self.hello = self.line() if greeting else None

    def raw_line(self):
        while b"\n" not in self.bytes:
            got = self.socket.recv(65536)
            if not got:
                return None
            self.bytes += got
        line, self.bytes = self.bytes.split(b"\n", 1)
        return line

    def line(self):
        line = self.raw_line()
        return None if line is None else json.loads(line)

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def ask(self, method, **params):
        self.id += 1
        self.send(json.dumps({"jsonrpc": "2.0", "id": self.id, "method": method,
                              "params": params}) + "\n")
        reply = self.line()
        assert reply["id"] == self.id, reply
        return reply

    def call(self, method, **params):
        reply = self.ask(method, **params)
        assert "result" in reply, reply
        return reply["result"]

    def fails(self, method, **params):
        reply = self.ask(method, **params)
        check("error", reply)
        return reply["error"]["data"]["kind"]

    def quiet(self, seconds):
        return not self.bytes and not select.select([self.socket], [], [], seconds)[0]

    def close(self):
        self.socket.close()


def schemas():
    folder = os.path.join(SRC, "proto", "schemas")
    found = {}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name)) as file:
            schema = json.load(file)
        assert schema["$id"].endswith("/" + name), name
        found[schema["$id"]] = schema
    return found


def check(name, value):
    """Validates against one of proto/schemas; "[x]" is an array of x."""
    if jsonschema is None or not name:
        return
    store = schemas()
    base = "https://cloudtraced.invalid/schemas/"
    schema = store[base + name.strip("[]") + ".json"]
    if name.startswith("["):
        schema = {"$id": base + "list.json", "type": "array", "items": schema}
    resolver = jsonschema.RefResolver(base, schema, store)
    jsonschema.Draft7Validator(schema, resolver=resolver).validate(value)


def cloud_with(**changes):
    with open(CLOUD) as file:
        cloud = json.load(file)
    cloud.update(changes)
    return cloud


def migration(name, status="running", host="compute-09", reason=None):
    return {"id": name, "vm": {"uuid": None, "name": name}, "source": host, "destination": None,
            "status": status, "start_ns": 1795413600000000000, "reason": reason}


# -- Shapes -----------------------------------------------------------------

def test_schemas_are_schemas():
    """each schema is a sound draft-07 schema"""
    if jsonschema:
        for schema in schemas().values():
            jsonschema.Draft7Validator.check_schema(schema)


def test_replies_match_schemas():
    """greeting and every method's reply are as the schemas say"""
    params = {"migration.show": {"id": "7f3a"}, "watch": {"topic": "migration"},
              "flow.show": {"id": "req-9f3a"}, "vm.show": {"id": "web-14"},
              "service.show": {"id": "nova-compute@compute-03"}, "volume.show": {"id": "data"},
              "port.show": {"id": "1e2f"}, "find": {"id": "web-14"},
              "why": {"id": "7f3a5c0de1b29834"}, "alert.show": {"id": "a1a1a1a1a1a1a1a1"},
              "compare": {"a": "req-9f3a"}, "node.drain_status": {"host": "compute-03"},
              "node.show": {"host": "compute2"}, "disk.list": {"host": "compute2"},
              "network.show": {"host": "compute2"}, "thread.list": {"host": "compute2"},
              "volume.chain": {"id": "77aa88bb-99cc-4dde-8ff0-112233445566"},
              "network.where": {"address": "fa:16:3e:5b:01:9c"},
              "network.path": {"src": "10.1.0.1", "dst": "10.1.0.2"},
              "alert.silence": {"duration_ns": 1000, "rule": "migration-*"},
              "alert.unsilence": {"id": "5113"}, "log.set": {"level": "info"},
              "unwatch": {"watch": 1}, "echo": {"data": [1]}}
    with open(os.path.join(os.path.dirname(CLOUD), "kernel.json")) as file:
        kernel = json.load(file)
    with Daemon(cloud=cloud_with(**{k: kernel[k] for k in ("kernel", "top", "chains")})) as daemon:
        client = Client(daemon.path)
        check("hello", client.hello)
        assert client.hello["params"]["access"] == "rw"
        described = client.call("describe")
        check("describe", described)
        for method in described["methods"]:
            # What changes something is not for a store that is only read.
            if method["access"] == "rw":
                continue
            result = client.call(method["name"], **params.get(method["name"], {}))
            check(method["result"], result)
        for name in ("2b90", "c001"):
            check("migration", client.call("migration.show", id=name))
        reply = client.ask("migration.show", id="nobody")
        check("error", reply)
        assert reply["error"]["code"] == -32001


def test_a_bad_value_breaks_its_schema():
    """the schemas do notice what is wrong"""
    if jsonschema is None:
        return
    for name, value in (("migration", {"id": 1, "status": "running", "start_ns": 1}),
                        ("migration", {"id": "1", "status": "done", "start_ns": 1}),
                        ("alert", {}), ("watch", {"watch": 1, "found": True})):
        try:
            check(name, value)
        except jsonschema.ValidationError:
            continue
        raise AssertionError((name, value))


def test_filters():
    """filters reach the store; unknown and wrong parameters are refused"""
    with Daemon() as daemon:
        client = Client(daemon.path)
        assert [m["id"][:4] for m in client.call("migration.list", status="failed")] == ["2b90"]
        assert [m["id"][:4] for m in client.call("migration.list", host="compute-07")] == ["7f3a"]
        assert len(client.call("migration.list", limit=2)) == 2
        assert client.call("migration.list", since_ns=1795413600000000001)[0]["id"][:4] == "7f3a"
        assert [n["host"] for n in client.call("node.list", host="net-1")] == ["net-1"]
        assert client.call("migration.list", status=None, vm="web-14")
        for params in ({"frob": 1}, {"status": 1}, {"status": "run"}, {"limit": 0}, {"limit": 1.5},
                       {"limit": 10001}, {"since_ns": -1}, {"since_ns": "1"}, {"vm": "x" * 1025}):
            assert client.fails("migration.list", **params) == "invalid-params", params
        assert client.fails("migration.show") == "invalid-params"
        assert client.fails("migration.show", id=None) == "invalid-params"
        assert client.fails("migration.frob") == "unknown-method"


# -- Hostile input ----------------------------------------------------------

REFUSED = (
    (b'{', "parse"),
    (b'hello', "parse"),
    (b'\xff\xfe', "parse"),
    (b'{"jsonrpc":"2.0","id":1,"method":"\xc3\x28"}', "parse"),
    (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"echo"}', "parse"),
    (b'{"jsonrpc":"2.0","id":1,"method":"echo","params":{"data":{"a":1,"a":2}}}', "parse"),
    (b'{"jsonrpc":"2.0","id":1,"method":"echo"}{}', "parse"),
    (b'{"jsonrpc":"2.0","id":1,"method":"echo\\u0000"}', "parse"),
    (b'{"jsonrpc":"2.0","id":1,\x00"method":"echo"}', "parse"),
    (b'{"jsonrpc":"2.0","id":99999999999999999999,"method":"echo"}', "parse"),
    (b'{"id":1,"x":' + b'[' * 100000 + b']' * 100000 + b'}', "parse"),
    (b'[{"jsonrpc":"2.0","id":1,"method":"echo"}]', "invalid-request"),
    (b'[]', "invalid-request"),
    (b'null', "invalid-request"),
    (b'"echo"', "invalid-request"),
    (b'{}', "invalid-request"),
    (b'{"jsonrpc":"1.0","id":1,"method":"echo"}', "invalid-request"),
    (b'{"jsonrpc":2.0,"id":1,"method":"echo"}', "invalid-request"),
    (b'{"jsonrpc":"2.0","id":1}', "invalid-request"),
    (b'{"jsonrpc":"2.0","id":1,"method":["echo"]}', "invalid-request"),
    (b'{"jsonrpc":"2.0","id":[1],"method":"echo"}', "invalid-request"),
    (b'{"jsonrpc":"2.0","id":1.5,"method":"echo"}', "invalid-request"),
    (b'{"jsonrpc":"2.0","id":"' + b'x' * 257 + b'","method":"echo"}', "invalid-request"),
    (b'{"jsonrpc":"2.0","id":1,"method":"echo","extra":1}', "invalid-request"),
    (b'{"jsonrpc":"2.0","id":1,"method":"echo","params":[1]}', "invalid-params"),
    (b'{"jsonrpc":"2.0","id":1,"method":""}', "unknown-method"),
)


def test_malformed_lines():
    """each malformed line gets its error, and the connection goes on"""
    with Daemon() as daemon:
        client = Client(daemon.path)
        for line, kind in REFUSED:
            client.send(line + b"\n")
            reply = client.line()
            check("error", reply)
            assert reply["error"]["data"]["kind"] == kind, (line[:80], reply)
            assert client.call("echo", data=kind) == kind


def test_notifications_and_blank_lines():
    """a request without an id gets no answer; blank lines are nothing"""
    with Daemon() as daemon:
        client = Client(daemon.path)
        client.send('\n\r\n{"jsonrpc":"2.0","method":"echo"}\n'
                    '{"jsonrpc":"2.0","method":"frob"}\n')
        assert client.call("echo", data="x") == "x"
        client.send('{"jsonrpc":"2.0","id":null,"method":"echo"}\r\n')
        assert client.line() == {"jsonrpc": "2.0", "id": None, "result": None}


def test_oversized_line():
    """a line over 1 MiB ends the connection with an error, ended or not"""
    with Daemon() as daemon:
        for end in (b"", b"\n"):
            client = Client(daemon.path)
            try:
                client.send(b'{"jsonrpc":"2.0","id":1,"method":"' + b"x" * (1 << 20) + end)
            except (BrokenPipeError, ConnectionResetError):
                pass
            reply = client.line()
            assert reply["error"]["data"]["kind"] == "too-large", reply
            try:
                assert client.line() is None
            except ConnectionResetError:
                pass
        client = Client(daemon.path)
        text = "y" * ((1 << 20) - 200)
        assert client.call("echo", data=text) == text


def test_half_a_line():
    """a client that goes away within a line harms nobody"""
    with Daemon() as daemon:
        for cut in (b"{", b'{"jsonrpc":"2.0","id":1,"method":"status"}', b"\xff", b""):
            client = Client(daemon.path)
            client.send(cut)
            client.close()
        client = Client(daemon.path)
        client.send('{"jsonrpc":"2.0","id":1,"method":"echo"}\n{"jsonrpc"')
        client.socket.shutdown(socket.SHUT_WR)
        assert client.line()["id"] == 1
        assert client.line() is None


def test_random_bytes():
    """random bytes and cut requests never end the daemon"""
    import random
    dice = random.Random(7)
    good = b'{"jsonrpc":"2.0","id":1,"method":"watch","params":{"topic":"migration"}}\n'
    with Daemon() as daemon:
        for _ in range(60):
            client = Client(daemon.path)
            data = bytearray(good * 3)
            for _ in range(dice.randrange(1, 9)):
                data[dice.randrange(len(data))] = dice.randrange(256)
            client.send(bytes(data[:dice.randrange(len(data))]))
            client.close()
        assert Client(daemon.path).call("echo", data=1) == 1


# -- Limits -----------------------------------------------------------------

def test_many_clients():
    """at most 16 clients of one user; the next is told why, others go on"""
    with Daemon() as daemon:
        clients = [Client(daemon.path if i % 2 else daemon.ro_path) for i in range(16)]
        refused = Client(daemon.path, greeting=False)
        reply = refused.line()
        check("error", reply)
        assert reply["error"]["data"]["kind"] == "busy" and refused.line() is None
        assert subprocess.run([CTL, "--socket", daemon.path], capture_output=True,
                              timeout=WAIT).returncode == 4
        for number, client in enumerate(clients):
            assert client.call("echo", data=number) == number
        clients.pop().close()
        time.sleep(0.2)
        assert Client(daemon.path).call("echo", data=1) == 1


def test_pipelining():
    """many requests at once are answered all, in order"""
    with Daemon() as daemon:
        client = Client(daemon.path)
        client.send("".join('{"jsonrpc":"2.0","id":%d,"method":"status"}\n' % i
                            for i in range(500)))
        client.socket.shutdown(socket.SHUT_WR)
        assert [client.line()["id"] for i in range(500)] == list(range(500))
        assert client.line() is None


def big_cloud(count, size):
    return {"migrations": [migration("m%d" % i, reason="x" * size) for i in range(count)]}


def test_slow_reader():
    """who does not read is dropped; others are served at once meanwhile"""
    with Daemon("--stall-ms", "700", cloud=big_cloud(100, 10000)) as daemon:
        slow = Client(daemon.path, buffer=4096)
        try:
            slow.socket.settimeout(0.5)
            slow.send('{"jsonrpc":"2.0","id":1,"method":"migration.list"}\n' * 2000)
        except socket.timeout:
            pass
        fast = Client(daemon.path)
        worst, until = 0, time.monotonic() + 1.2
        while time.monotonic() < until:
            start = time.monotonic()
            assert fast.call("echo", data=1) == 1
            worst = max(worst, time.monotonic() - start)
            time.sleep(0.01)
        assert worst < 0.6, worst
        slow.socket.settimeout(WAIT)
        got = 0
        try:
            while True:
                n = len(slow.socket.recv(1 << 20))
                got += n
                if not n:
                    break
        except ConnectionResetError:
            pass
        # Not all 2000 replies of 1 MB each: the backlog is bounded.
        assert got < 20e6, got
        assert "does not read" in daemon.stop()


def test_total_backlog():
    """what waits for all clients together is bounded"""
    with Daemon("--max-pending", "3000000", cloud=big_cloud(100, 10000)) as daemon:
        clients = [Client(daemon.path, buffer=4096) for i in range(6)]
        for client in clients:
            client.send('{"jsonrpc":"2.0","id":1,"method":"migration.list"}\n' * 4)
        time.sleep(0.5)
        assert Client(daemon.path).call("echo", data=1) == 1
        assert "too much waits" in daemon.stop()


def test_large_reply():
    """a reply over the limit is an error that says what to do"""
    with Daemon("--max-reply", "50000", cloud=big_cloud(100, 10000)) as daemon:
        client = Client(daemon.path)
        reply = client.ask("migration.list")
        assert reply["error"]["data"]["kind"] == "too-large" and "limit" in \
            reply["error"]["data"]["hint"], reply
        assert len(client.call("migration.list", limit=4)) == 4


def test_watch_limit():
    """at most 16 watches of one client"""
    with Daemon() as daemon:
        client = Client(daemon.path)
        watches = [client.call("watch", topic="alert")["watch"] for i in range(16)]
        assert client.fails("watch", topic="alert") == "busy"
        client.call("unwatch", watch=watches[3])
        client.call("watch", topic="alert")


# -- Watches ----------------------------------------------------------------

def test_watch():
    """changes come as updates; filters, unwatch and cursors work"""
    with Daemon(cloud={"migrations": [migration("a")]}) as daemon:
        client, other = Client(daemon.path), Client(daemon.ro_path)
        every = client.call("watch", topic="migration")
        check("watch", every)
        assert every["found"] and not every["items"]
        some = other.call("watch", topic="migration", filter={"host": "compute-10"})
        daemon.change({"migrations": [migration("a", "completed"), migration("b"),
                                      migration("c", host="compute-10")]})
        update = client.line()
        check("update", update)
        assert update["method"] == "update" and update["params"]["watch"] == every["watch"]
        assert [i["id"] for i in update["params"]["items"]] == ["a", "b", "c"]
        assert update["params"]["items"][0]["item"]["status"] == "completed"
        assert [i["id"] for i in other.line()["params"]["items"]] == ["c"]
        # From the first cursor all of it again, from the last nothing.
        again = client.call("watch", topic="migration", since=every["cursor"])
        check("watch", again)
        assert [i["id"] for i in again["items"]] == ["a", "b", "c"]
        assert not client.call("watch", topic="migration", since=again["cursor"])["items"]
        for watch in (1, 2, 3):
            client.call("unwatch", watch=watch)
        assert client.fails("unwatch", watch=1) == "not-found"
        daemon.change({"migrations": []})
        assert len(other.line()["params"]["items"]) == 3  # Deletions reach all.
        assert client.quiet(0.3)
        assert other.call("unwatch", watch=some["watch"]) == {}


def test_watch_alerts_of_a_host():
    """alerts are filtered by the host and VM of the migration that they are about"""
    def alert(name, subject):
        return {"id": name, "rule": "r", "severity": "warning", "state": "firing", "text": "t",
                "subject": subject, "start_ns": 1}
    machines = [migration("a", host="compute-01"), migration("b", host="compute-02")]
    with Daemon(cloud={"migrations": machines}) as daemon:
        by_host, by_vm = Client(daemon.path), Client(daemon.path)
        by_host.call("watch", topic="alert", filter={"host": "compute-02"})
        by_vm.call("watch", topic="alert", filter={"vm": "a"})
        daemon.change({"migrations": machines, "alerts": [
            alert("1", "a"), alert("2", "b"), alert("3", "nobody")]})
        assert [i["id"] for i in by_host.line()["params"]["items"]] == ["2"]
        assert [i["id"] for i in by_vm.line()["params"]["items"]] == ["1"]


def test_watch_refusals():
    """bad topics, filters and cursors are refused; an unknown cursor is not found"""
    with Daemon() as daemon:
        client = Client(daemon.path)
        for params in ({}, {"topic": "weather"}, {"topic": "alert", "filter": []},
                       {"topic": "alert", "filter": {"color": "red"}},
                       {"topic": "alert", "filter": {"state": "red"}},
                       {"topic": "alert", "since": "x"}, {"topic": "alert", "since": ""},
                       {"topic": "alert", "since": 5}, {"topic": "alert", "since": "9" * 40}):
            assert client.fails("watch", **params) == "invalid-params", params
        result = client.call("watch", topic="alert", since="5000")
        check("watch", result)
        assert result["found"] is False


def test_lost():
    """a watcher whose changes are forgotten hears "lost" and goes on"""
    with Daemon(cloud={"migrations": []}) as daemon:
        client = Client(daemon.path)
        client.call("watch", topic="migration")
        daemon.change({"migrations": [migration("a")], "kept_from": 101})
        lost = client.line()
        check("update", lost)
        assert lost["method"] == "lost" and lost["params"]["cursor"] == "101", lost
        daemon.change({"migrations": [migration("a"), migration("b")], "kept_from": 101})
        assert [i["id"] for i in client.line()["params"]["items"]] == ["b"]


def test_many_changes():
    """more changes than one update takes come in several, all of them"""
    with Daemon(cloud={"migrations": []}) as daemon:
        client = Client(daemon.path)
        client.call("watch", topic="migration")
        daemon.change(big_cloud(1000, 10))
        seen = []
        while len(seen) < 1000:
            seen += [i["id"] for i in client.line()["params"]["items"]]
        assert seen == ["m%d" % i for i in range(1000)]
        later = Client(daemon.path)
        first = later.call("watch", topic="migration", since="100")["items"]
        while len(first) < 1000:
            first += later.line()["params"]["items"]
        assert [i["id"] for i in first] == seen


def test_slow_watcher():
    """a watcher that is behind gets what changed once it reads, no queue grows"""
    with Daemon("--stall-ms", "20000", cloud=big_cloud(20, 10)) as daemon:
        slow = Client(daemon.path, buffer=4096)
        slow.call("watch", topic="migration")
        for number in range(60):
            daemon.change({"migrations": [migration("m%d" % i, reason="%d" % number + "x" * 20000)
                                          for i in range(20)]})
            time.sleep(0.04)
        count, last = 0, ""
        while not last.startswith("59x"):
            update = slow.line()
            count += 1
            last = update["params"]["items"][-1]["item"]["reason"]
        assert count < 300, count


# -- Sockets ----------------------------------------------------------------

def test_sockets():
    """modes are 0660 and 0666; both go away at the end"""
    with Daemon() as daemon:
        assert stat.S_IMODE(os.stat(daemon.path).st_mode) == 0o660
        assert stat.S_IMODE(os.stat(daemon.ro_path).st_mode) == 0o666
        assert Client(daemon.ro_path).hello["params"]["access"] == "ro"
        daemon.stop(keep=True)
        assert not os.path.exists(daemon.path) and not os.path.exists(daemon.ro_path)


def test_stale_socket():
    """a dead daemon's socket is replaced; a live one's and other files are not"""
    with Daemon() as daemon:
        second = Daemon(folder=daemon.folder)
        assert not second.ready
        text = second.process.communicate(timeout=WAIT)[1]
        assert b"another daemon listens" in text, text
        assert Client(daemon.path).call("echo", data=1) == 1
        daemon.process.kill()
        daemon.process.wait()
        assert os.path.exists(daemon.path)
        third = Daemon(folder=daemon.folder)
        assert third.ready and Client(third.path).call("echo", data=3) == 3
        third.stop(keep=True)
        with open(daemon.path, "w") as file:
            file.write("mine")
        fourth = Daemon(folder=daemon.folder)
        assert b"no socket" in fourth.process.communicate(timeout=WAIT)[1]
        with open(daemon.path) as file:
            assert file.read() == "mine"
        daemon.process.returncode = 0


def test_no_folder():
    """a missing folder or a long path is a clear error"""
    for path, text in (("/nonexistent/x.sock", b"is its folder there?"),
                       ("/tmp/" + "x" * 200, b"longer than 107 bytes")):
        done = subprocess.run([FIXTURE, "--store", CLOUD, "--socket", path], capture_output=True,
                              timeout=WAIT)
        assert done.returncode == 1 and text in done.stderr, done


def test_stdio():
    """--stdio serves pipes and plain files alike"""
    request = b'{"jsonrpc":"2.0","id":1,"method":"echo"}\n'
    for give in ({"input": request * 30}, {"stdin": tempfile.TemporaryFile()}):
        if "stdin" in give:
            give["stdin"].write(request * 30)
            give["stdin"].seek(0)
        done = subprocess.run([FIXTURE, "--store", CLOUD, "--stdio"], capture_output=True,
                              timeout=WAIT, **give)
        assert done.returncode == 0 and not done.stderr, done
        assert len(done.stdout.splitlines()) == 31


# -- cloudtracectl watching ---------------------------------------------------

def start_ctl(*args, **more):
    return subprocess.Popen([CTL, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, env=dict(os.environ, LC_ALL="C.UTF-8", TZ="UTC"), **more)


def interrupt(process):
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=WAIT)
    assert process.returncode == 0, (process.returncode, err)
    return out, err


def test_ctl_watch_lines():
    """migration watch prints the list, then a line for each change; ends on SIGINT"""
    with Daemon(cloud={"migrations": [migration("aaaa")]}) as daemon:
        ctl = start_ctl("--socket", daemon.path, "migration", "watch", "-o", "ndjson")
        assert json.loads(ctl.stdout.readline())["id"] == "aaaa"
        daemon.change({"migrations": [migration("aaaa", "failed"), migration("bbbb")]})
        assert json.loads(ctl.stdout.readline())["status"] == "failed"
        assert json.loads(ctl.stdout.readline())["id"] == "bbbb"
        out, err = interrupt(ctl)
        assert not out and not err, (out, err)
        table = start_ctl("--socket", daemon.path, "migration", "watch", "--status", "running")
        assert table.stdout.readline().startswith("ID ")
        assert "bbbb" in table.stdout.readline()
        daemon.change({"migrations": [migration("aaaa", "failed", reason="new"),
                                      migration("bbbb", reason="seen")]})
        assert "bbbb" in table.stdout.readline()
        interrupt(table)


def test_ctl_watch_topic():
    """watch TOPIC prints changes with their cursors, which --cursor resumes from"""
    with Daemon(cloud={"alerts": []}) as daemon:
        alert = {"id": "a1", "rule": "r", "severity": "warning", "state": "firing", "text": "t",
                 "start_ns": 1}
        ctl = start_ctl("--socket", daemon.path, "watch", "alert", "-o", "json")
        time.sleep(0.3)
        daemon.change({"alerts": [alert]})
        change = json.loads(ctl.stdout.readline())
        check("change", change)
        interrupt(ctl)
        again = start_ctl("--socket", daemon.path, "watch", "alert", "-o", "json", "--cursor",
                          str(int(change["cursor"]) - 1))
        assert json.loads(again.stdout.readline()) == change
        interrupt(again)


def flow(name, kind="server.create", **more):
    return dict({"id": name, "kind": kind, "status": "running",
                 "start_ns": 1795413600000000000}, **more)


def test_ctl_watch_flows():
    """flow watch filters by kind, exactly or by its beginning, and by VM"""
    vm = {"uuid": "u1", "name": "web"}
    with Daemon(cloud={"flows": []}) as daemon:
        every = start_ctl("--socket", daemon.path, "flow", "watch", "--kind", "server.*", "-o",
                          "ndjson")
        web = start_ctl("--socket", daemon.path, "watch", "flow", "--vm", "web", "-o", "ndjson")
        time.sleep(0.5)
        daemon.change({"flows": [flow("req-1"), flow("req-2", "volume.create"),
                                 flow("req-3", "server.delete", vm=vm), flow("req-4", "server")]})
        assert json.loads(every.stdout.readline())["id"] == "req-1"
        assert json.loads(every.stdout.readline())["id"] == "req-3"
        assert json.loads(web.stdout.readline())["item"]["id"] == "req-3"
        assert interrupt(every)[0] == "" and interrupt(web)[0] == ""


def show_flow(folder, spans, *args):
    """What flow show prints of a flow with these spans, and how long that took."""
    path = os.path.join(folder, "spans.json")
    with open(path, "w") as file:
        json.dump({"flows": [flow("req-1", status="ok", spans=spans,
                                  end_ns=1795413601000000000)]}, file)
    start = time.monotonic()
    done = subprocess.run([CTL, "--store", path, "flow", "show", "req-1", *args], timeout=WAIT,
                          capture_output=True, text=True, check=True,
                          env=dict(os.environ, CLOUDTRACED=FIXTURE, LC_ALL="C"))
    return done.stdout.splitlines(), time.monotonic() - start


def test_ctl_many_spans():
    """flow show folds and leaves out; chains and rings of spans do no harm"""
    many = 5000
    t = 1795413600000000000

    def span(i, parent, took=10**6, name="step", **more):
        return dict({"id": "s%d" % i, "parent": parent, "layer": "application", "service": "nova",
                     "host": "h", "name": name, "start_ns": t + i, "end_ns": t + i + took,
                     "status": "ok"}, **more)

    folder = tempfile.mkdtemp(prefix="ct-spans.")
    try:
        root = span(0, None, 10**9, "root")
        lines, _ = show_flow(folder, [root] + [span(i, "s0") for i in range(1, many)])
        assert any("%d x step" % (many - 1) in line for line in lines), lines
        lines, _ = show_flow(folder, [root] + [
            span(i, "s0", i * 1000, "step " + "ghijklmnop"[i % 10] * (i // 10 + 1))
            for i in range(1, 500)])
        shown = [line for line in lines if "step" in line]
        assert len(shown) == 39 and any(line.startswith("460 more") for line in lines), lines
        for spans in ([span(i, "s%d" % (i - 1), many - i) for i in range(many)],
                      [span(i, "s%d" % (i + 1)) for i in range(many)],
                      [span(i, "s%d" % ((i + 1) % many)) for i in range(many)],
                      [span(i, "s%d" % i) for i in range(many)]):
            for args in ((), ("-o", "wide")):
                lines, took = show_flow(folder, spans, *args)
                assert len(lines) > 4 and took < WAIT / 2, (len(lines), took)
            # A request is told in whole, whatever its spans look like.
            assert sum(line.startswith("nova") for line in lines) == many
    finally:
        shutil.rmtree(folder)


def test_ctl_reconnects():
    """when the daemon restarts the watch goes on, and says so"""
    daemon = Daemon(cloud={"migrations": [migration("aaaa")]})
    ctl = start_ctl("--socket", daemon.path, "migration", "watch", "-o", "ndjson")
    assert json.loads(ctl.stdout.readline())["id"] == "aaaa"
    daemon.stop(keep=True)
    assert "connection lost" in ctl.stderr.readline()
    with Daemon(cloud={"migrations": [migration("aaaa")]}, folder=daemon.folder) as second:
        assert "connected again" in ctl.stderr.readline()
        time.sleep(0.3)
        second.change({"migrations": [migration("aaaa"), migration("bbbb")]})
        assert json.loads(ctl.stdout.readline())["id"] == "bbbb"
        interrupt(ctl)


def test_ctl_full_screen():
    """on a terminal the list is redrawn, and the screen given back at the end"""
    with Daemon(cloud={"migrations": [migration("aaaa")]}) as daemon:
        master, slave = pty.openpty()
        ctl = subprocess.Popen([CTL, "--socket", daemon.path, "mig", "watch"], stdout=slave,
                               stderr=slave, env=dict(os.environ, LC_ALL="C", TERM="xterm"))
        os.close(slave)
        seen = b""

        def until(text):
            nonlocal seen
            end = time.monotonic() + WAIT
            while text not in seen:
                assert time.monotonic() < end, seen
                if select.select([master], [], [], 1)[0]:
                    seen += os.read(master, 65536)
        until(b"aaaa")
        daemon.change({"migrations": [migration("bbbb\x1b[2J"), migration("aaaa", "failed")]})
        until(b"bbbb\\u{1b}")
        until(b"failed")
        ctl.send_signal(signal.SIGINT)
        until(b"\x1b[?1049l")
        assert ctl.wait(WAIT) == 0
        assert re.search(rb"\x1b\[\?1049h.*\x1b\[\?1049l", seen, re.S)
        os.close(master)


def test_library():
    """libcloudtrace: a small program connects, lists and follows changes"""
    example = os.path.join(BUILD, "tests", "client-example")
    with Daemon(cloud={"migrations": [migration("aaaa"), migration("bbbb", "failed")]}) as daemon:
        process = subprocess.Popen([example, daemon.path, "2"], stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "aaaa running\n"
        daemon.change({"migrations": [migration("aaaa", "completed"), migration("cccc")]})
        out = process.communicate(timeout=WAIT)[0]
        assert out.startswith("aaaa completed\ncccc running\n"), out
        assert process.returncode == 0
        done = subprocess.run([example, "/nonexistent/x"], capture_output=True, text=True)
        assert done.returncode == 1 and "is it running?" in done.stderr, done
    symbols = subprocess.run(["nm", "-g", "--defined-only", os.path.join(BUILD,
                             "libcloudtrace.a")], capture_output=True, text=True, check=True)
    names = {line.split()[2] for line in symbols.stdout.splitlines() if len(line.split()) == 3}
    assert names == {"cloudtrace_" + n for n in ("connect", "connect_tls", "close", "call", "watch", "next",
                                                 "fd")}, names


def main():
    tests = [(n, f) for n, f in globals().items() if n.startswith("test_")]
    if len(sys.argv) > 1:
        tests = [(n, f) for n, f in tests if n in sys.argv[1:]]
    print("1..%d" % len(tests))
    failed = 0
    for number, (name, test) in enumerate(tests, 1):
        signal.alarm(120)
        try:
            test()
            print("ok %d - %s" % (number, test.__doc__))
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            print("not ok %d - %s" % (number, test.__doc__))
            import traceback
            for line in traceback.format_exc().splitlines():
                print("# " + line)
        sys.stdout.flush()
    if jsonschema is None:
        print("# python3-jsonschema is missing: shapes were not checked")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
