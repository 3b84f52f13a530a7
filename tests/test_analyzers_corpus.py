#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The qemu analyzer on real traces: each side of each migration of
tests/corpus/qemu/expected.json, with its times; and how good the forecasts
were.  More folders with traces may be given as arguments, for figures alone."""
import json
import os
import subprocess
import sys

SRC = os.environ.get('top_srcdir', '.')
BUILD = os.environ.get('top_builddir', '.')
EXPECTED = json.load(open(os.path.join(SRC, 'tests/corpus/qemu/expected.json')))
count = 0
failed = 0


def report(ok, name, why=''):
    global count, failed
    count += 1
    failed += not ok
    print(f"{'ok' if ok else 'not ok'} {count} - {name}{': ' + why if why else ''}", flush=True)


def unpack(name):
    return subprocess.run(['sh', os.path.join(SRC, 'tests/lib/corpus.sh'), name], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


def read(folder):
    """All tellings of each fact, by id."""
    out = subprocess.run([os.path.join(BUILD, 'tests/trace_facts'), folder], check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    facts = {}
    for line in out.stdout.splitlines():
        fact = json.loads(line)
        if fact['type'] == 'retract':
            del facts[fact['id']]
        else:
            facts.setdefault(fact['id'], []).append(fact)
    return facts, out.stderr.decode()


def find(facts, kind, host, pid):
    return [f[-1] for f in facts.values()
            if f[-1]['kind'] == kind and f[-1]['host'] == host and f[-1]['key'] == str(pid)]


def differs(what, got_ns, ms):
    if ms is None or (got_ns is not None and abs(got_ns / 1e6 - ms) <= 2):
        return []
    return [f'{what} {got_ns} ns, not {ms} ms']


def check_migration(facts, e):
    source = find(facts, 'migration.source', e['source'], e['source_pid'])
    destination = find(facts, 'migration.destination', e['destination'], e['destination_pid'])
    if len(source) != 1 or len(destination) != 1:
        return [f'{len(source)} sources, {len(destination)} destinations']
    a, b = source[0]['attributes'], destination[0]['attributes']
    run_ns = b['run_ns']
    wrong = differs('total', source[0]['end_ns'] - source[0]['start_ns'], e['total_ms'])
    wrong += differs('downtime', a['downtime_ns'], e['downtime_ms'])
    wrong += differs('blackout', run_ns and run_ns - a['stop_ns'], e['blackout_ms'])
    # The truth of failed migrations is the last poll, before the last synchronisations.
    if e['dirty_syncs'] is not None and a['dirty_syncs'] != e['dirty_syncs']:
        wrong.append(f"dirty_syncs {a['dirty_syncs']}, not {e['dirty_syncs']}")
    if a['mode'] != e['mode']:
        wrong.append(f"mode {a['mode']}")
    statuses = {source[0]['status'], destination[0]['status']}
    if not statuses & set(e['status']):
        wrong.append(f'status {statuses}')
    return wrong


def check_scenario(name, facts, unexpected):
    spans = [f for f in facts.values() if f[-1]['kind'] in ('migration.source',
                                                            'migration.destination')]
    for e in EXPECTED[name]:
        wrong = check_migration(facts, e)
        report(not wrong, f"{name} {e['source']}/{e['source_pid']}", '; '.join(wrong))
    report(len(spans) == 2 * len(EXPECTED[name]), f'{name}: no migration that is not there')
    report(not unexpected, f'{name}: nothing unexpected', unexpected.strip())
    slow = [f for f in facts.values() if f[-1]['kind'] == 'migration.not-converging']
    report(bool(slow) == (name == 'c-cancel'), f'{name}: refused only if it does not converge')
    stalls = [f for f in facts.values() if f[-1]['kind'] == 'migration.stall']
    report(bool(stalls) == ('long-stopcopy' in name), f'{name}: stalls')


def forecasts(facts):
    """(remaining time told, true) of completed migrations from round 2 on."""
    pairs = []
    for tellings in facts.values():
        end = tellings[-1]
        if end['kind'] != 'migration.source' or end['status'] != 'completed':
            continue
        if end['attributes']['mode'] != 'precopy':
            continue
        seen = set()
        for f in tellings:
            fc = f['attributes']['forecast']
            closed = [r for r in f['attributes']['rounds'] if r['end_ns']]
            if not fc or fc['at_ns'] in seen or len(closed) < 2:
                continue
            seen.add(fc['at_ns'])
            pairs.append((fc['remaining_ns'] or 0, end['end_ns'] - fc['at_ns']))
    return pairs


def check_forecasts(pairs):
    errors = sorted(abs(told - true) / 1e9 for told, true in pairs)
    good = sum(abs(told - true) <= max(0.12 * true, 8e9) for told, true in pairs)
    strict = sorted(abs(told - true) / true for told, true in pairs if true >= 1e9)
    print(f'# {len(pairs)} forecasts from round 2 on: {100 * good / len(pairs):.1f} % within '
          f'12 % or 8 s; 90th percentile {errors[len(errors) * 9 // 10]:.2f} s')
    print(f'# {len(strict)} of them with 1 s or more to go: median '
          f'{100 * strict[len(strict) // 2]:.0f} %, 90th percentile '
          f'{100 * strict[len(strict) * 9 // 10]:.0f} % of the remaining time')
    report(good >= 0.9 * len(pairs), 'forecasts')


def main():
    pairs = []
    for name in EXPECTED:
        facts, unexpected = read(unpack('qemu/' + name))
        check_scenario(name, facts, unexpected)
        pairs += forecasts(facts)
    for folder in sys.argv[1:]:
        pairs += forecasts(read(folder)[0])
    check_forecasts(pairs)
    print(f'1..{count}')
    return 1 if failed else 0


sys.exit(main())
