# SPDX-License-Identifier: MIT
"""Runs programs and measures them: time, CPU, peak memory, instructions."""
import json
import os
import re
import subprocess
import tempfile
import time


class Failed(Exception):
    """A program that is measured did not do its work."""


class Result:
    def __init__(self, wall, cpu, peak_kib, out, err):
        self.wall, self.cpu, self.peak_kib, self.out, self.err = wall, cpu, peak_kib, out, err

    def json(self):
        return json.loads(self.out)


def peak_kib(pid):
    """VmHWM and not ru_maxrss: the latter starts with the peak of the parent."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            found = re.search(r"VmHWM:\s*(\d+)", file.read())
    except OSError:
        return 0
    return int(found.group(1)) if found else 0


def cpu_seconds(pid):
    """CPU time, user and system, of a process that still runs."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(argv, timeout=900):
    """Runs a program to its end; its CPU time is exact, its peak sampled each 5 ms
    (a high-water mark is never too low by more than what its last 5 ms added)."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start, peak = time.monotonic(), 0
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        while True:
            peak = max(peak, peak_kib(child.pid))
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() - start > timeout:
                child.kill()
            time.sleep(0.005)
        wall = time.monotonic() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        result = Result(wall, usage.ru_utime + usage.ru_stime, peak,
                        out.read().decode(errors="replace"), err.read().decode(errors="replace"))
    if child.returncode != 0:
        raise Failed(f"{' '.join(map(str, argv))[:300]}\nexit {child.returncode}: "
                     f"{result.err.strip()[-600:]}")
    return result


def best(argv, times, key=lambda result: result.cpu):
    """The run of several that was disturbed least."""
    return min((run(argv) for _ in range(times)), key=key)


def instructions(argv):
    """Instructions that a program executes in user space, by callgrind."""
    result = run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *argv])
    found = re.search(r"Collected : (\d+)", result.err)
    if not found:
        raise Failed(f"callgrind gave no count for {argv[0]}: {result.err[-300:]}")
    return int(found.group(1))


def slope(make_argv, small, large):
    """Instructions per event without the start-up: the slope between two sizes.
    'small' and 'large' are (events, what make_argv wants)."""
    counts = [instructions(make_argv(what)) for _, what in (small, large)]
    return (counts[1] - counts[0]) / (large[0] - small[0])


class Table:
    """Columns as wide as they must be; the first to the left, numbers to the right."""
    def __init__(self, *heads):
        self.rows = [heads]

    def add(self, *cells):
        self.rows.append(["-" if c is None else c if isinstance(c, str) else number(c)
                          for c in cells])

    def print(self):
        widths = [max(len(row[i]) for row in self.rows) for i in range(len(self.rows[0]))]
        for row in self.rows:
            print("  " + row[0].ljust(widths[0]) +
                  "".join("  " + cell.rjust(w) for cell, w in zip(row[1:], widths[1:])), flush=True)


def number(value):
    """Three figures are all that a busy machine allows."""
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def percentile(values, percent):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * percent / 100))]
