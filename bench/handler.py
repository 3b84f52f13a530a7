#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a log record costs with the OpenStack handler: traced into a real session,
while nobody listens, and with logging.FileHandler, in the same run by turns.

    bench/handler.py [--rounds N]        us a record, the whole of LOG.debug()

The record has a request context where oslo.context is installed, a format and
two arguments, as most of a service's have."""
import argparse
import os
import sys

sys.dont_write_bytecode = True
TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests/lib"))
from python_tracing import Tracing  # noqa: E402

RECORDS = 100           # in a batch: the handlers take turns

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
end = time.monotonic() + 10
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
RECORDS, rounds = int(sys.argv[1]), int(sys.argv[2])
for _ in range(rounds):
    for name, one, state in cases:
        log.handlers[:] = [one]
        tracepoint.state = state
        began = time.perf_counter()
        for _ in range(RECORDS):
            log.debug("Took %0.2f seconds to %s", 6.25, "spawn the instance")
        took[name].append((time.perf_counter() - began) / RECORDS * 1e6)
for name, times in took.items():
    times.sort()
    print(f"{times[0]:.3f} {times[len(times) // 2]:.3f} {name}")
"""


def measure(rounds):
    """[(name, best us, median us)]"""
    tracing = Tracing()
    try:
        tracing.start()
        tracing.session("bench")
        status, out, err = tracing.run(PROGRAM, str(RECORDS), str(rounds))
        if status or err:
            raise RuntimeError(err or f"exit status {status}")
    finally:
        tracing.close()
    return [(name, float(best), float(median)) for best, median, name in
            (line.split(" ", 2) for line in out.splitlines())]


def handler(bench):
    """The section of bench/run."""
    rows = measure(300 if bench.options.quick else 1000)
    tell(rows)
    best = {name: us for name, us, _ in rows}
    bench.ratios += [
        ("handler: us a record, traced", f"{best['traced']:.2f}", "< 9"),
        ("handler: us added, nobody listens",
         f"{best['nobody listens'] - best['NullHandler']:.2f}", "< 1"),
        ("handler: traced / FileHandler", f"{best['traced'] / best['FileHandler']:.2f}", "")]


def tell(rows):
    print(f"{'us a record':26}{'best':>8}{'median':>8}{'added':>8}")
    for name, best, median in rows:
        print(f"{name:26}{best:8.2f}{median:8.2f}{best - rows[0][1]:8.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=1000)
    tell(measure(parser.parse_args().rounds))


if __name__ == "__main__":
    main()
