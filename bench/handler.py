#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a log record costs with the OpenStack handler: traced into a real session,
while nobody listens, and with logging.FileHandler, in the same run by turns.

    bench/handler.py [--rounds N]        us a record, the whole of LOG.debug()

The record has a request context where oslo.context is installed, a format and
two arguments, as most of a service's have.  Times are CPU time of the thread
that logs; instructions (with valgrind) are those in user space."""
import argparse
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests/lib"))
from python_tracing import PYTHON, Tracing  # noqa: E402

RECORDS = 100           # in a batch: the handlers take turns
LOST = 0.01             # of the traced records: more, and the time is not that of tracing
CASES = ("NullHandler", "nobody listens", "FileHandler", "FileHandler, formatted", "traced")

PROGRAM = """
import logging, sys, time
from cloudtrace_openstack import Handler
from cloudtrace_openstack.tracepoint import tracepoint, OFF
try:
    from oslo_context import context
    context.RequestContext(request_id="req-12345678-1234-1234-1234-123456789abc", user_id="a" * 32,
                           project_id="b" * 32, user_name="admin", project_name="admin")
except ImportError:
    pass
handler = Handler(service="nova-compute")
end = time.monotonic() + 60
while not tracepoint.state.value and time.monotonic() < end:
    time.sleep(0.01)
assert tracepoint.state.value, "no session listens"
heard = tracepoint.state
plain, form = logging.FileHandler("plain.log"), logging.FileHandler("form.log")
form.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"))
cases = (("NullHandler", logging.NullHandler(), OFF), ("nobody listens", handler, OFF),
         ("FileHandler", plain, OFF), ("FileHandler, formatted", form, OFF),
         ("traced", handler, heard))
log = logging.getLogger("nova.compute.manager")
log.setLevel(logging.DEBUG)
log.propagate = False
took = {name: [] for name, _, _ in cases}
RECORDS, rounds, only = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
for _ in range(rounds):
    for name, one, state in cases:
        if only not in ("all", name):
            continue
        log.handlers[:] = [one]
        tracepoint.state = state
        began = time.thread_time()
        for _ in range(RECORDS):
            log.debug("Took %0.2f seconds to %s", 6.25, "spawn the instance")
        took[name].append((time.thread_time() - began) / RECORDS * 1e6)
for name, times in took.items():
    times.sort()
    if times:
        print(f"{times[0]:.3f} {times[len(times) // 2]:.3f} {name}")
"""


class Measured:
    """rows: [(name, best us, median us)]; instructions: {name: a record}, if they were counted"""

    def __init__(self, rounds, count):
        self.rows, self.instructions = [], {}
        tracing = Tracing()
        try:
            tracing.start()
            self._session(tracing)
            status, out, err = tracing.run(PROGRAM, str(RECORDS), str(rounds), "all")
            if status or err:
                raise RuntimeError(err or f"exit status {status}")
            self._lost(tracing, rounds)
            self.rows = [(name, float(best), float(median)) for best, median, name in
                         (line.split(" ", 2) for line in out.splitlines())]
            if count:
                self.instructions = {name: self._count(tracing, name) for name in CASES}
        finally:
            tracing.close()

    @staticmethod
    def _session(tracing):
        """With room for what a benchmark logs, which is more than any service does."""
        tracing.lttng("create", "bench", "--output=" + tracing.path("trace"))
        tracing.lttng("enable-channel", "-s", "bench", "-u", "--subbuf-size=4M", "--num-subbuf=8",
                      "lttng_python_channel")
        tracing.lttng("enable-event", "-s", "bench", "--python", "--all")
        tracing.lttng("add-context", "-s", "bench", "-u", "-t", "vpid", "-t", "vtid", "-t", "procname")
        tracing.lttng("start", "bench")

    @staticmethod
    def _lost(tracing, rounds):
        said = subprocess.run(["lttng", "list", "bench"], env=tracing.env, text=True,
                              capture_output=True, check=True, **tracing.who).stdout
        lost = sum(map(int, re.findall(r"Discarded events: (\d+)", said)))
        if not re.search(r"Discarded events", said) or lost > LOST * rounds * RECORDS:
            raise RuntimeError(f"{lost} of {rounds * RECORDS} records were not traced")

    @staticmethod
    def _count(tracing, name):
        """Instructions of a record: the slope between few and many."""
        counts = []
        for rounds in (10, 30):
            done = subprocess.run(
                ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", PYTHON,
                 tracing.path("service.py"), str(RECORDS), str(rounds), name], env=tracing.env,
                cwd=tracing.work, text=True, capture_output=True, check=True, **tracing.who)
            counts.append(int(re.search(r"Collected : (\d+)", done.stderr).group(1)))
        return (counts[1] - counts[0]) / (20 * RECORDS)

    def tell(self):
        print(f"{'us a record':26}{'best':>8}{'median':>8}{'added':>8}" +
              ("  instructions" if self.instructions else ""))
        for name, best, median in self.rows:
            count = f"{self.instructions[name]:14,.0f}" if self.instructions else ""
            print(f"{name:26}{best:8.2f}{median:8.2f}{best - self.rows[0][1]:8.2f}{count}")


def handler(bench):
    """The section of bench/run."""
    measured = Measured(300 if bench.options.quick else 1000,
                        not bench.options.quick and shutil.which("valgrind"))
    measured.tell()
    median = {name: us for name, _, us in measured.rows}
    bench.ratios += [
        ("handler: us a record, traced", f"{median['traced']:.2f}", "< 9"),
        ("handler: us added, nobody listens",
         f"{median['nobody listens'] - median['NullHandler']:.2f}", "< 1"),
        ("handler: traced / FileHandler", f"{median['traced'] / median['FileHandler']:.2f}", "")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--instructions", action="store_true", help="count them, too; a minute more")
    options = parser.parse_args()
    Measured(options.rounds, options.instructions).tell()


if __name__ == "__main__":
    main()
