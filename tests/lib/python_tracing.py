# SPDX-License-Identifier: MIT
"""A session daemon of our own for traced Python programs, and what it recorded.

As root it runs as another user, since root's session daemon is the machine's;
so the package is copied to where that user can read it."""
import atexit
import json
import os
import shutil
import signal
import subprocess
import tempfile
import textwrap
import time

PYTHON = "/usr/bin/python3"
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.environ.get("top_srcdir", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("top_builddir", TOP)
PACKAGE = os.path.join(TOP, "instrumentation/openstack/cloudtrace_openstack")
NOBODY = 65534


def wait_for(condition, seconds=15):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


class Tracing:
    """One folder: home of the session daemon, the package, programs, traces."""

    def __init__(self):
        self.work = tempfile.mkdtemp(prefix="cloudtrace-handler.")
        self.who = {}
        if os.getuid() == 0:
            os.chown(self.work, NOBODY, NOBODY)
            self.who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        os.chmod(self.work, 0o755)
        shutil.copytree(PACKAGE, self.path("site/cloudtrace_openstack"),
                        ignore=shutil.ignore_patterns("__pycache__"))
        self.env = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": self.work, "LANG": "C.UTF-8",
                    "LTTNG_HOME": self.work, "PYTHONPATH": self.path("site"),
                    "PYTHONDONTWRITEBYTECODE": "1"}
        self.daemon = None
        self.programs = []
        atexit.register(self.close)     # also when a test is ended from outside
        signal.signal(signal.SIGTERM, signal.default_int_handler)

    def path(self, *names):
        return os.path.join(self.work, *names)

    def close(self):
        for program in self.programs:
            if program.poll() is None:
                program.kill()
                program.communicate()
        self.stop(signal.SIGTERM)
        shutil.rmtree(self.work, ignore_errors=True)
        atexit.unregister(self.close)

    def start(self):
        self.daemon = subprocess.Popen(["lttng-sessiond", "--no-kernel"], env=self.env,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, start_new_session=True,
                                       **self.who)
        if not wait_for(lambda: self.lttng("list", check=False)):
            raise RuntimeError("lttng-sessiond did not start")

    def stop(self, how):
        """Ends the session daemon, and its consumers with it."""
        if self.daemon is None:
            return
        if how == signal.SIGKILL:
            os.killpg(self.daemon.pid, how)
        else:
            self.daemon.send_signal(how)
        try:
            self.daemon.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.daemon.pid, signal.SIGKILL)
            self.daemon.wait()
        self.daemon = None

    def lttng(self, *words, check=True):
        done = subprocess.run(["lttng", *words], env=self.env, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                              check=False, **self.who)
        if check and done.returncode:
            raise RuntimeError(f"lttng {' '.join(words)}: {done.stdout[-300:]}")
        return done.returncode == 0

    def session(self, name):
        self.lttng("create", name, "--output=" + self.path("trace-" + name))
        self.lttng("enable-event", "-s", name, "--python", "--all")
        self.lttng("add-context", "-s", name, "-u", "-t", "vpid", "-t", "vtid", "-t", "procname")
        self.lttng("start", name)

    def events(self, name):
        """Ends a session and reads it: events as they were dumped, and their JSON as "json"."""
        self.lttng("destroy", name)
        if not any("metadata" in files for _, _, files in os.walk(self.path("trace-" + name))):
            return []       # nobody was traced
        done = subprocess.run([os.path.join(BUILD, "cloudtraced"), "--dump",
                               self.path("trace-" + name)], capture_output=True, text=True,
                              timeout=60, check=True)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        for event in events:
            event["json"] = strict(event["payload"]["msg"])
        return events

    def program(self, text, *words, name="service.py", **more):
        """Starts a Python program in the session daemon's reach."""
        path = self.path(name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(text))
        os.chmod(path, 0o644)
        program = subprocess.Popen([PYTHON, path, *words], env=dict(self.env, **more), text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, cwd=self.work, **self.who)
        self.programs.append(program)
        return program

    def run(self, text, *words, name="service.py", **more):
        """Its exit status, what it wrote, and what it wrote to stderr."""
        program = self.program(text, *words, name=name, **more)
        out, err = program.communicate(timeout=60)
        return program.returncode, out, err


def _refuse(name):
    raise ValueError(f"{name} is no JSON")


def strict(text):
    """Like json.loads(), but as strict as the daemon's reader."""
    value = json.loads(text, parse_constant=_refuse)
    json.dumps(value, ensure_ascii=False).encode("utf-8")   # no lone surrogates
    if "\\u0000" in json.dumps(value):
        raise ValueError("a NUL")
    return value
