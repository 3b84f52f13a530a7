# SPDX-License-Identifier: MIT
"""The analyzers of OpenStack's log lines, on the recordings of tests/corpus/openstack: time and
instructions of a line, of those that are used and of those of loggers that nobody reads."""
import glob
import os
import tarfile

from measure import Table, best, slope

# What: (option, most ns a line may cost).
KINDS = {"all lines": (None, 5_000), "used": ("used", 10_000), "of other loggers": ("other", 1_500)}


def unpack(bench):
    to = os.path.join(bench.work, "openstack")
    for archive in sorted(glob.glob(os.path.join(bench.options.source,
                                                 "tests/corpus/openstack/*.tar.xz"))):
        with tarfile.open(archive) as tar:
            tar.extractall(to)  # noqa: S202: our own archives
    return sorted(glob.glob(os.path.join(to, "*")))


def openstack(bench):
    dirs = unpack(bench)
    if bench.options.quick:
        dirs = dirs[:3]
    print(f"\nLog lines of OpenStack: {len(dirs)} recordings, all analyzers, facts dropped")
    table = Table("lines", "lines", "ns/line", "instructions/line", "lines/s")
    for what, (only, limit_ns) in KINDS.items():
        options = ["--only", only] if only else []

        def command(rounds):
            return [bench.program("bench/bench_log"), *options, "--rounds", str(rounds), *dirs]

        result = best(command(10), bench.times, key=lambda r: r.json()["ns"]).json()
        count = None if bench.options.quick else \
            slope(command, (result["lines"], 1), (2 * result["lines"], 2))
        table.add(what, result["lines"], result["ns"], count, 1e9 / result["ns"])
        if only:
            bench.ratio(f"ns a line, {what}", result["ns"], f"<= {limit_ns:,}")
        else:
            bench.ratio("log lines a second, one core", 1e9 / result["ns"], ">= 200,000")
    table.print()
