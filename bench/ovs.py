# SPDX-License-Identifier: MIT
"""What an event of Open vSwitch costs its analyzer on one core (bench_ovs.c)."""
import os
import re
import subprocess

from measure import Failed, Table

LIMIT_NS = 400


def ovs(bench):
    print("\novs: events of Open vSwitch, ready in memory, through the analyzer (CPU time, best of 5)")
    packets = "30000" if bench.options.quick else "300000"
    out = subprocess.run([os.path.join(bench.options.build, "bench/bench_ovs"), packets], text=True,
                         stdout=subprocess.PIPE, check=False)
    rows = re.findall(r"(.*): (\d+) ns/event, ([\d.]+) times .* \((\d+) ns\)", out.stdout)
    if out.returncode or not rows:
        raise Failed(f"bench_ovs: exit {out.returncode}")
    table = Table("what", "ns/event", "reading fields", "ratio")
    for what, full, ratio, idle in rows:
        table.add(what, int(full), int(idle), float(ratio))
        bench.ratios.append((f"Open vSwitch, {what}", f"{full} ns/event", f"< {LIMIT_NS}"))
    table.print()
