#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A service that does nothing but log, as OpenStack's do: the log-heavy load.

    bench/service.py FILE          reads "file SECONDS" or "handler SECONDS" lines and prints for
                                   each how many records it logged a second,
                                   and the CPU time of one in us

"file" logs to FILE only, "handler" to the handler of cloudtrace_openstack first, which says by a
third word whether a session listens."""
import logging
import sys
import time

RECORDS = 100           # between two looks at the clock


def handlers(path):
    plain = logging.FileHandler(path, mode="w")
    plain.setFormatter(logging.Formatter(
        "%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"))
    choices = {"file": [plain]}
    try:
        from cloudtrace_openstack import Handler
        choices["handler"] = [Handler(service="nova-compute"), plain]
    except ImportError:
        pass
    return choices


def listens(handler):
    if handler == "file":
        return "-"
    from cloudtrace_openstack.tracepoint import tracepoint
    return "traced" if tracepoint.state.value else "unheard"


def work(log, seconds):
    n, start, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds:
        for _ in range(RECORDS):
            log.debug("Took %0.2f seconds to %s", 6.25, "spawn the instance")
        n += RECORDS
    return n / (time.perf_counter() - start), (time.process_time() - cpu) * 1e6 / n


def main():
    choices = handlers(sys.argv[1])
    log = logging.getLogger("nova.compute.manager")
    log.setLevel(logging.DEBUG)
    log.propagate = False
    print("ready", flush=True)
    for line in sys.stdin:
        handler, seconds = line.split()
        log.handlers[:] = choices[handler]
        choices["file"][0].stream.truncate(0)
        rate, cpu = work(log, float(seconds))
        print(f"{rate:.1f} {cpu:.4f} {listens(handler)}", flush=True)


main()
