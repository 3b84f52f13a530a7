#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The OpenStack handler in real Python services, with a real session daemon."""
import os
import re
import signal
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from python_tracing import Tracing  # noqa: E402
import tap_unittest  # noqa: E402

# On a machine so busy that the session daemon takes longer than the handler waits
# for it, the first records after a start or a fork are missing.
PATIENT = {"LTTNG_UST_REGISTER_TIMEOUT": "30000"}

# What each program begins with: a service that logs to the handler alone.
PLAIN = """
import logging, os, subprocess, sys, threading, time
from cloudtrace_openstack import Handler
log = logging.getLogger("nova.compute.manager")
log.propagate = False
log.setLevel(logging.DEBUG)
handler = Handler(service="nova-compute")
log.addHandler(handler)
"""


class Case(unittest.TestCase):
    sessions = 0

    @classmethod
    def setUpClass(cls):
        cls.tracing = Tracing()
        cls.addClassCleanup(cls.tracing.close)
        cls.tracing.start()

    def traced(self, text, *words, quiet=True, **more):
        """Runs a program under a session of its own and gives its events."""
        Case.sessions += 1
        name = f"s{Case.sessions}"
        self.tracing.session(name)
        status, out, err = self.tracing.run(text, *words, **PATIENT, **more)
        events = self.tracing.events(name)
        self.assertEqual((status, err if quiet else ""), (0, ""), out + err)
        self.out = out
        return events

    @staticmethod
    def messages(events):
        return [event["json"].get("message") for event in events]


class Shape(Case):
    def test_event(self):
        """an event has the fields and the JSON that analyzers read"""
        events = self.traced(PLAIN + """
log.info("Took %0.2f seconds to %s", 6.25, "spawn", extra={"instance": {"uuid": "u-1"}})
log.warning("%(a)s of %(b)d", {"a": "x", "b": 3, "c": object()})
log.debug("plain")
""")
        first = events[0]
        self.assertEqual(first["name"], "lttng_python:event")
        self.assertEqual(first["payload"]["logger_name"], "nova.compute.manager")
        self.assertEqual(first["payload"]["funcName"], "<module>")
        self.assertEqual(first["payload"]["int_loglevel"], 20)
        self.assertEqual(first["payload"]["threadName"], "MainThread")
        self.assertRegex(first["payload"]["asctime"], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")
        told = first["json"]
        self.assertEqual(told["pid"], first["context"]["vpid"])
        self.assertEqual(told["gt"] & 0xffffffff, first["payload"]["thread"])
        self.assertLess(abs(told["created"] * 1e9 - first["t"]), 1e9)
        self.assertEqual([told[k] for k in ("service", "level", "message", "fmt", "args",
                                            "instance")],
                         ["nova-compute", "INFO", "Took 6.25 seconds to spawn",
                          "Took %0.2f seconds to %s", [6.25, "spawn"], "u-1"])
        self.assertEqual(events[1]["json"]["args"], {"a": "x", "b": 3})
        self.assertNotIn("fmt", events[2]["json"])

    def test_context(self):
        """the request context, objects and resources of oslo are told, and nothing is loaded"""
        events = self.traced(PLAIN + """
from oslo_context import context
class Instance:
    uuid, host, vm_state, display_name = "u-2", "compute-1", "active", "vm1"
    def obj_attr_is_set(self, name):
        return name != "power_state"
    @property
    def power_state(self):
        raise RuntimeError("a lazy load")
    @property
    def task_state(self):
        raise KeyError("not there")
log.info("before")
context.RequestContext(request_id="req-1", user_id="u", project_id="p", project_name="admin")
log.info("from the thread's context", extra={"instance": Instance()})
log.info("own", extra={"context": {"request_id": "req-2", "user_name": 7}, "resource":
         {"type": "volume", "id": "v-1", "x": object()}, "instance_uuid": "u-3"})
log.info("string", extra={"instance": "[instance: 3eb6afe9-0000-4000-8000-00000000abcd] "})
""")
        told = [event["json"] for event in events]
        self.assertNotIn("request_id", told[0])
        self.assertEqual({k: told[1].get(k) for k in (
            "request_id", "user", "project", "project_name", "instance", "instance_host",
            "vm_state", "instance_name", "power_state", "task_state")},
            {"request_id": "req-1", "user": "u", "project": "p", "project_name": "admin",
             "instance": "u-2", "instance_host": "compute-1", "vm_state": "active",
             "instance_name": "vm1", "power_state": None, "task_state": None})
        self.assertEqual(told[2]["request_id"], "req-2")
        self.assertEqual(told[2]["resource"], {"type": "volume", "id": "v-1"})
        self.assertEqual(told[2]["instance"], "u-3")
        self.assertEqual(told[3]["instance"], "3eb6afe9-0000-4000-8000-00000000abcd")

    def test_notifications(self):
        """notifications are objects; a huge one keeps what it is about"""
        events = self.traced(PLAIN + r"""
import json
note = logging.getLogger("oslo.messaging.notification.instance.update")
note.propagate = False
note.setLevel(10)
note.addHandler(handler)
data = {"event_type": "instance.update", "publisher_id": "nova-compute:c", "payload":
        {"nova_object.data": {"uuid": "u-4", "state_update": {"state": "active"}}}}
note.info(json.dumps(data))
data["payload"]["nova_object.data"]["pad"] = ["x" * 900] * 100
note.info(json.dumps(data))
data["payload"] = {"k%d" % i: "y" * 50 for i in range(5000)}
note.info(json.dumps(data))
note.info('{"event_type": "cut off')
note.info('{"event_type": "\\ud800", "n": NaN}')
note.info('{"event_type": "\\ud800\\u0000", "n": 99999999999999999999999}')
""")
        told = [event["json"] for event in events]
        self.assertEqual(len(told), 6)
        for i in (0, 1):
            self.assertEqual(told[i]["notification"]["payload"]["nova_object.data"]["state_update"],
                             {"state": "active"})
        self.assertGreater(told[1]["truncated"], 90000)
        self.assertEqual(told[2]["notification"]["event_type"], "instance.update")
        self.assertGreater(told[2]["truncated"], 200000)
        self.assertEqual(told[3]["message"], '{"event_type": "cut off')
        self.assertIn("message", told[4])
        self.assertIn("notification", told[5])
        for event in events:
            self.assertLessEqual(len(event["payload"]["msg"]), 16384)

    def test_noise(self):
        """poll loops of oslo.messaging are left out, unless they are asked for"""
        text = PLAIN + """
poll = logging.getLogger("oslo_messaging._drivers.amqpdriver")
poll.propagate = False
poll.setLevel(10)
poll.addHandler(Handler(service="x", noise=len(sys.argv) > 1))
poll.debug("AMQPListener connection timeout")
poll.debug("CALL msg_id: %s", "m")
"""
        self.assertEqual(self.messages(self.traced(text)), ["CALL msg_id: m"])
        self.assertEqual(len(self.traced(text, "noise")), 2)


class Hostile(Case):
    def test_bad_records(self):
        """records that cannot be formatted are told as far as they go, and no one else notices"""
        events = self.traced(PLAIN + r"""
class Bad:
    def __str__(self): raise ValueError("no text")
    __repr__ = __str__
class Worse(Exception):
    def __str__(self): raise RuntimeError("still none")
class Sub(int):
    def __repr__(self): raise ValueError
log.info("too few %s %s", 1)
log.info("bad %s", Bad())
log.info("number %d", "x")
log.info(Bad())
log.info(b"bytes \xff")
log.info(12)
log.info(["a", {"b": 1}])
log.info("un\udcffdecodable %s", "\ud800")
log.info("nul \0 %s", "\0")
log.info("numbers %s %s %s %s %d", float("nan"), float("inf"), 10 ** 30, 10 ** 5000 % 7, Sub(4))
a = []
a.append(a)
error = ValueError(a)
error.__cause__ = error.__context__ = error
log.error("cyclic %s", a, exc_info=(ValueError, error, None))
try:
    raise Worse("x")
except Worse:
    log.exception("exception without text")
log.error("no exception", exc_info=(None, None, None))
log.error("stack", stack_info=True)
handler.handle(logging.makeLogRecord({"msg": "odd", "name": "n\0\ud800" * 500, "lineno": None,
               "funcName": None, "thread": None, "threadName": None, "args": None,
               "levelname": None}))
handler.handle(logging.makeLogRecord({"msg": "no time", "created": None}))
log.info("last")
""")
        told = [event["json"] for event in events]
        self.assertEqual(told[0]["message"], "too few %s %s")
        self.assertRegex(told[0]["format_error"], "TypeError")
        self.assertEqual(told[1]["message"], "bad %s")
        self.assertEqual(told[1]["format_error"], "ValueError: no text")
        self.assertEqual(told[1]["args"], [None])
        self.assertEqual(told[3]["message"], "(Bad)")
        self.assertEqual(told[4]["message"], "b'bytes \\xff'")
        self.assertEqual(told[5]["message"], "12")
        self.assertEqual(told[7]["message"], "un\\udcffdecodable \\ud800")
        self.assertEqual(told[8]["message"], "nul \ufffd \ufffd")
        self.assertEqual(told[9]["args"][:2], ["nan", "inf"])
        self.assertEqual(told[9]["args"][2], hex(10 ** 30))
        self.assertEqual(told[10]["exc"], "ValueError")
        self.assertEqual(told[11]["exc"], "Worse")
        self.assertNotIn("exc", told[12])
        self.assertEqual(told[14]["message"], "odd")
        # The one without a time is counted, and the next record brings the count.
        self.assertEqual(told[15]["message"], "1 records dropped")
        self.assertEqual(told[15]["dropped"], {"TypeError": 1})
        self.assertEqual(events[15]["payload"]["logger_name"], "cloudtrace_openstack")
        self.assertEqual(told[16]["message"], "last")
        self.assertEqual(len(told), 17)

    def test_huge(self):
        """a huge message is cut at the bound, and says how long it was"""
        events = self.traced(PLAIN + r"""
log.removeHandler(handler)
log.addHandler(Handler(service="s" * 5000, max_bytes=4096))
log.info("m" * 50_000_000)
log.info("\U0001f600" * 100_000)
log.info("%s" * 12, *["\u20ac" * 200] * 12)
log.info("x" * 4096, extra={"resource": {"k%d" % i: "\u20ac" * 200 for i in range(99)}})
log.info("short", extra={"context": {"request_id": "\u20ac" * 10_000}})
log.removeHandler(log.handlers[0])
log.addHandler(Handler(max_bytes="many", service="y"))
log.info("m" * 100_000)
""")
        told = [event["json"] for event in events]
        self.assertEqual(len(told), 6)
        for event in events[:5]:
            self.assertLessEqual(len(event["payload"]["msg"]), 4096)
        self.assertEqual([t.get("truncated") for t in told[:2]], [50_000_000, 100_000])
        self.assertGreater(len(events[0]["payload"]["msg"]), 4000)
        self.assertTrue(told[1]["message"].endswith("\U0001f600"))
        self.assertIn("truncated", told[2])
        self.assertEqual(told[4]["message"], "short")
        self.assertLessEqual(len(events[5]["payload"]["msg"]), 16384)

    def test_recursion(self):
        """records that formatting makes are told once, unformatted, and it ends"""
        events = self.traced(PLAIN + """
class Loud:
    def __str__(self):
        log.info("in %s", self)
        return "text"
    @property
    def uuid(self):
        log.info("reading %s", self, extra={"instance": self})
        return "u-5"
log.info("outer %s", Loud())
log.info("lazy", extra={"instance": Loud()})
def deep(n):
    if n: return deep(n - 1)
    log.info("deep %s", Loud())
try:
    deep(sys.getrecursionlimit() - 30)
except RecursionError:
    pass
log.info("after")
""")
        told = [event["json"] for event in events]
        self.assertEqual([t.get("message") for t in told[:4]],
                         ["in %s", "outer text", "reading %s", "lazy"])
        self.assertEqual([t.get("nested") for t in told[:4]], [True, None, True, None])
        self.assertEqual(told[3]["instance"], "u-5")
        self.assertEqual(told[-1]["message"], "after")

    def test_service_errors_pass(self):
        """what the service itself throws through a log call is not swallowed"""
        self.traced(PLAIN + """
class Timeout(BaseException): pass
class Switch:
    def __str__(self): raise Timeout()
try:
    log.info("%s", Switch())
except Timeout:
    log.info("and the handler goes on")
else:
    sys.exit(1)
""")


class Processes(Case):
    def test_forks(self):
        """children that go on running Python trace as themselves, also theirs, also from threads"""
        events = self.traced(PLAIN + """
import multiprocessing
def child(depth):
    log.info("child %d %d", depth, os.getpid())
    if depth:
        pid = os.fork()
        if not pid:
            child(depth - 1)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
log.info("parent %d", os.getpid())
child(3)
threads = [threading.Thread(target=child, args=(1,)) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join(30)
p = multiprocessing.get_context("fork").Process(target=child, args=(0,))
p.start()
p.join(30)
log.info("end %d", os.getpid())
assert p.exitcode == 0
""")
        self.assertEqual(len(events), 1 + 4 + 8 + 1 + 1)
        for event in events:
            pid = event["json"]["args"][-1]
            self.assertEqual((event["json"]["pid"], event["context"]["vpid"]), (pid, pid))
        self.assertEqual(len({event["context"]["vpid"] for event in events}), 1 + 3 + 4 + 1)

    def test_programs(self):
        """programs that a service starts get no thread, no descriptor and no word of the tracer"""
        self.traced(PLAIN + r"""
show = ["sh", "-c", "ls -l /proc/self/fd; cat /proc/self/status; env"]
def run(**more):
    p = subprocess.run(show, stdin=subprocess.DEVNULL, capture_output=True, text=True, **more)
    assert p.returncode == 0 and not p.stderr, p
    own = p.stdout.lower().replace("lttng_home", "").replace("lttng_ust_register_timeout", "")
    assert "lttng" not in own, p.stdout
    assert "Threads:\t1\n" in p.stdout, p.stdout
log.info("before")
run()
run(close_fds=False)
run(preexec_fn=os.setsid)
run(preexec_fn=lambda: log.info("not told: this process ends"))
run(start_new_session=True)
assert os.system("exit 3") == 3 << 8
assert os.spawnv(os.P_WAIT, "/bin/true", ["true"]) == 0
os.waitpid(os.posix_spawn("/bin/true", ["true"], os.environ), 0)
pid = os.fork()
if not pid:
    os.execv("/bin/true", ["true"])
assert os.waitpid(pid, 0)[1] == 0
log.info("after")
""")

    def test_exec_child_is_silent(self):
        """a preexec_fn that logs does not trace as its parent"""
        events = self.traced(PLAIN + """
subprocess.run(["true"], preexec_fn=lambda: log.info("child"))
log.info("parent")
""")
        self.assertEqual(self.messages(events), ["parent"])

    def test_privsep(self):
        """a privileged helper has none of the tracer's threads, and still logs"""
        events = self.traced(PLAIN + """
threads = open("/proc/self/status").read().split("Threads:")[1].split()[0]
log.info("hello")
print(threads)
""", name="privsep-helper")
        self.assertEqual((events, self.out), ([], "1\n"))

    def test_threads(self):
        """many threads at once lose nothing"""
        events = self.traced(PLAIN + """
def work(n):
    for i in range(500): log.info("%d %d", n, i)
threads = [threading.Thread(target=work, args=(n,), name="T%d" % n) for n in range(8)]
for t in threads: t.start()
for t in threads: t.join(60)
""")
        seen = [tuple(event["json"]["args"]) for event in events]
        self.assertEqual(sorted(seen), [(n, i) for n in range(8) for i in range(500)])
        self.assertTrue(all(event["payload"]["threadName"] == f"T{event['json']['args'][0]}"
                            for event in events))


# A service as OpenStack's are: eventlet, oslo.log, a file log, workers.
SERVICE = """
import eventlet
eventlet.monkey_patch()
import os, subprocess, sys, time
from oslo_config import cfg
from oslo_context import context
from oslo_log import log as logging
conf = cfg.CONF
logging.register_options(conf)
conf(sys.argv[1:], project="nova")
logging.setup(conf, "nova")
LOG = logging.getLogger("nova.compute.manager")
"""


class OsloService(Case):
    def configure(self, more=""):
        ready = self.tracing.path("site/cloudtrace_openstack/conf/nova-compute.conf")
        path = self.tracing.path("nova.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"[DEFAULT]\nlog_config_append = {ready}\n{more}")
        os.chmod(path, 0o644)
        return path

    def test_eventlet(self):
        """green threads, workers and programs of a service: each its own context, nothing lost"""
        # Not in the file: oslo.log's own lock does not bear a switch while it formats.
        conf = self.configure("default_log_levels = nova=ERROR\n")
        events = self.traced(SERVICE + """
class Switching:
    def __str__(self):
        eventlet.sleep(0)
        return "text"
def work(n):
    context.RequestContext(request_id="req-%d" % n)
    for i in range(20):
        LOG.info("%s %d %d", Switching(), n, i)
        if i == 10:
            subprocess.run(["true"], check=True)
def workers():
    pool = eventlet.GreenPool()
    for n in range(20): pool.spawn(work, n)
    pool.waitall()
for _ in range(2):
    pid = os.fork()
    if not pid:
        workers()
        os._exit(0)
workers()
while True:
    try:
        assert os.wait()[1] == 0
    except ChildProcessError:
        break
from eventlet import tpool
tpool.execute(LOG.info, "from a real thread %d", 1)
""", "--config-file", conf, "--log-file", self.tracing.path("own.log"))
        lines = [e for e in events if e["payload"]["logger_name"] == "nova.compute.manager"]
        self.assertEqual(len(lines), 3 * 400 + 1)
        by_pid = {}
        for event in lines[:-1]:
            told = event["json"]
            self.assertEqual(told["message"], "text %d %d" % tuple(told["args"][1:]))
            self.assertEqual(told["request_id"], f"req-{told['args'][1]}")
            self.assertEqual(told["pid"], event["context"]["vpid"])
            by_pid.setdefault(told["pid"], set()).add((told["args"][1], told["args"][2]))
        self.assertEqual([len(seen) for seen in by_pid.values()], [400] * 3)

    def test_operator_log(self):
        """the operator's own log is what it was without the handler, byte by byte"""
        program = SERVICE + """
import logging as plain
plain.getLogger().handlers[0].setLevel(0)
time.time = lambda: 1.5e9
def say():
    LOG.debug("debug %s", 1)
    LOG.info("info %s", 2)
    LOG.info("inst", instance={"uuid": "u-7"})
    logging.getLogger("oslo_messaging.rpc").debug("CALL")
    logging.getLogger("oslo_messaging.rpc").info("rpc info")
    logging.getLogger("keystoneauth.session").info("REQ")
    logging.getLogger("taskflow.engines").warning("flow")
    logging.getLogger("nova.virt.driver").debug("verbose")
    logging.getLogger("other").debug("other")
    context.RequestContext(request_id="req-9", user_id="u")
    LOG.warning("warn")
    try: raise ValueError("x")
    except ValueError: LOG.exception("broke")
say()
"""
        levels = "default_log_levels = taskflow=ERROR,nova.virt=DEBUG,keystoneauth=WARN\n"
        form = 'logging_default_format_string = %(levelname)s %(name)s %(instance)s%(message)s\n' \
               'logging_context_format_string = %(levelname)s [%(request_id)s] %(message)s\n'
        for more in ("debug = true\n", levels + "use_stderr = true\n", "use_json = true\n"):
            with self.subTest(more=more):
                logs, errors = [], []
                for conf in (self.configure(form + more), None):
                    if conf is None:
                        conf = self.tracing.path("nova.conf")
                        with open(conf, "w", encoding="ascii") as file:
                            file.write("[DEFAULT]\n" + form + more)
                    log = self.tracing.path("nova.log")
                    status, _, err = self.tracing.run(program, "--config-file", conf, "--log-file",
                                                      log)
                    self.assertEqual(status, 0, err)
                    with open(log, encoding="utf-8") as file:
                        logs.append(self._plain(file.read()))
                    os.unlink(log)
                    errors.append(self._plain(err))
                self.assertEqual(logs[0], logs[1])
                self.assertEqual(errors[0], errors[1])
                self.assertIn("broke", logs[0])

    def test_operator_notifications(self):
        """notifications that are there for the trace are not in the operator's log"""
        program = SERVICE + """
logging.getLogger("oslo.messaging.notification.instance.update").info('{"payload": 1}')
LOG.info("a line")
"""
        driver = "[oslo_messaging_notifications]\n%sdriver = log\n"
        for mark, there in (("# cloudtrace: added\n", False), ("", True)):
            events = self.traced(program, "--config-file", self.configure(driver % mark),
                                 "--log-file", self.tracing.path("own.log"))
            self.assertEqual([event["json"].get("notification") for event in events],
                             [{"payload": 1}, None])
            with open(self.tracing.path("own.log"), encoding="utf-8") as file:
                text = file.read()
            os.unlink(self.tracing.path("own.log"))
            self.assertIn("a line", text)
            self.assertEqual("payload" in text, there)

    @staticmethod
    def _plain(text):
        """Without what differs from one run to the next: process, thread, time."""
        return re.sub(r"\d[\d.:]{2,}", "N", text)

    def test_levels(self):
        """with the ready files the trace has the DEBUG lines that the operator's log has not"""
        events = self.traced(SERVICE + """
for name in ("nova.compute.manager", "oslo_messaging._drivers.amqpdriver", "keystoneauth.session",
             "taskflow.engines", "os_brick.initiator", "oslo_concurrency.lockutils",
             "novaclient.v2.client", "neutron.plugins.ml2.managers", "cinder.volume.manager",
             "placement.requestlog", "sqlalchemy.engine", "amqp", "urllib3.connectionpool"):
    logging.getLogger(name).debug("line")
""", "--config-file", self.configure(), "--log-file", self.tracing.path("own.log"))
        self.assertEqual(len(events), 10)
        self.assertEqual({event["json"]["service"] for event in events}, {"nova-compute"})
        with open(self.tracing.path("own.log"), encoding="utf-8") as file:
            self.assertNotIn("line", file.read())

    def test_privsep_replaces(self):
        """privsep replaces one handler: none of ours is left behind"""
        self.traced(SERVICE + """
from oslo_privsep import daemon
import logging as plain
daemon.replace_logging(plain.NullHandler())
handlers = plain.getLogger().handlers
assert len(handlers) == 1, handlers
""", "--config-file", self.configure(), "--log-file", self.tracing.path("own.log"))


class Sessiond(unittest.TestCase):
    PROGRAM = PLAIN + """
n = 0
for line in sys.stdin:
    n += 1
    before = time.monotonic()
    log.info("line %d", n)
    pid = os.fork()
    if not pid:
        log.info("child of %d", n)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    print(n, "%.3f" % (time.monotonic() - before), flush=True)
"""

    def setUp(self):
        self.tracing = Tracing()
        self.addCleanup(self.tracing.close)
        self.lines = 0

    def say(self, program):
        """Has the program log once, fork, and log in the child; how long that took."""
        program.stdin.write("\n")
        program.stdin.flush()
        number, took = program.stdout.readline().split()
        self.lines += 1
        self.assertEqual(int(number), self.lines)
        return float(took)

    def end(self, program):
        program.stdin.close()
        program.stdin = None
        self.assertEqual((program.wait(20), program.stderr.read()), (0, ""))

    def say_until_traced(self, program, name):
        """Logs until the session has it: registration is not immediate."""
        for _ in range(50):
            self.say(program)
            time.sleep(0.1)
            if self._written(name):
                return
        self.fail("nothing was traced")

    def _written(self, name):
        self.tracing.lttng("stop", name)
        size = sum(os.path.getsize(os.path.join(folder, file))
                   for folder, _, files in os.walk(self.tracing.path("trace-" + name))
                   for file in files if "channel" in file)
        self.tracing.lttng("start", name)
        return size > 0

    def test_absent_then_started_then_killed(self):
        """a session daemon that is absent, starts later, is killed, and comes back"""
        program = self.tracing.program(self.PROGRAM)
        self.assertLess(self.say(program), 0.5)
        self.tracing.start()
        self.tracing.session("late")
        self.say_until_traced(program, "late")
        self.assertTrue(self.tracing.events("late"))
        self.tracing.session("killed")
        self.say_until_traced(program, "killed")
        self.tracing.stop(signal.SIGKILL)
        for _ in range(5):
            self.assertLess(self.say(program), 1.0)
        self.tracing.start()
        self.tracing.session("again")
        self.say_until_traced(program, "again")
        self.end(program)
        self.assertTrue(self.tracing.events("again"))

    def test_frozen(self):
        """a frozen session daemon holds a service for a moment only"""
        self.tracing.start()
        os.kill(self.tracing.daemon.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            program = self.tracing.program(self.PROGRAM)
            took = self.say(program)
            whole = time.monotonic() - began
            self.end(program)
        finally:
            os.kill(self.tracing.daemon.pid, signal.SIGCONT)
        self.assertLess(took, 2.0)
        self.assertLess(whole, 4.0)

    def test_formats_only_when_heard(self):
        """nothing is formatted while no session listens, or one that is stopped"""
        self.tracing.start()
        program = self.tracing.program(PLAIN + """
class Counted:
    n = 0
    def __str__(self):
        Counted.n += 1
        return "x"
for line in sys.stdin:
    log.info("%s", Counted())
    print(Counted.n, flush=True)
""")

        def say():
            program.stdin.write("\n")
            program.stdin.flush()
            return int(program.stdout.readline())
        self.assertEqual(say(), 0)
        self.tracing.session("listen")
        until = time.monotonic() + 10
        while say() == 0 and time.monotonic() < until:
            time.sleep(0.05)
        heard = say()
        self.assertGreater(heard, 0)
        self.tracing.lttng("destroy", "listen")
        until = time.monotonic() + 10
        while say() != heard and time.monotonic() < until:
            heard = say()
        self.assertEqual(say(), heard)
        self.end(program)

    def test_no_library(self):
        """without LTTng's library the service runs, and says nothing"""
        status, out, err = self.tracing.run(
            "import cloudtrace_openstack.tracepoint as t\nt._LIBRARIES = ('libnone.so.1',)\n"
            + PLAIN + "log.info('x')\nprint(t.tracepoint.error)")
        self.assertEqual((status, err), (0, ""))
        self.assertIn("libnone.so.1", out)

    def test_unknown_layout(self):
        """a library that is laid out otherwise is taken as always listening"""
        self.tracing.start()
        self.tracing.session("layout")
        status, _, err = self.tracing.run(
            "import cloudtrace_openstack.tracepoint as t\ndef no(*_): raise ValueError\n"
            "t._section = no\n" + PLAIN + "assert t.tracepoint.state is t._ALWAYS\nlog.info('x')")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(len(self.tracing.events("layout")), 1)


tap_unittest.main()
