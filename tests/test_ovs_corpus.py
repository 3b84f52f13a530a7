#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Open vSwitch on real kernel traces: what the daemon answers against what the tools said (truth.json), and
against an independent count of the events (cloudtraced --dump)."""
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict, deque
from statistics import median

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
from harness import Tap, corpus  # noqa: E402

BUILD = os.environ.get('top_builddir', '.')
DAEMON = os.path.join(BUILD, 'cloudtraced')
tap = Tap()


def near(got, expected, share=0.02):
    return got is not None and abs(got - expected) <= share * expected


class Trace:
    def __init__(self, name, folder, kind='kernel'):
        self.path = corpus(kind + '/' + name)
        self.truth = json.load(open(os.path.join(self.path, 'truth.json')))
        self.tools = self.truth['traces'][0]['truth'] if kind == 'kernel' else None
        self.store = os.path.join(folder, name + '.db')
        subprocess.run([DAEMON, '--read', self.path, '--store', self.store], check=True, timeout=120)

    def events(self, *names):
        out = subprocess.run([DAEMON, '--dump', self.path], check=True, stdout=subprocess.PIPE, timeout=120)
        for line in out.stdout.splitlines():
            event = json.loads(line)
            if event['name'].startswith(names):
                yield event

    def call(self, method, **params):
        request = json.dumps({'jsonrpc': '2.0', 'id': 1, 'method': method, 'params': params})
        out = subprocess.run([DAEMON, '--store', self.store, '--stdio'], input=request + '\n', text=True,
                             check=True, stdout=subprocess.PIPE, timeout=60)
        for line in out.stdout.splitlines():
            reply = json.loads(line)
            if reply.get('id') == 1:
                return reply.get('result', reply.get('error'))
        return None

    def latency(self, **params):
        (host,) = self.call('network.latency', **params)
        return host, {c['name']: c['latency'] for c in host['components']}

    def mark(self, name):
        return next(m['real_ns'] for m in self.tools['marks'] if m['mark'] == name)


# -- a2: two bridges, packets with tags -----------------------------------------


def reference_paths(trace):
    """Receive to send by tag, per path: ours has to have each of them."""
    received, slow, paths = {}, set(), defaultdict(list)
    for e in trace.events('ovs_packet_', 'ovs_upcall_begin'):
        tag, p = e['payload']['tag'], e['payload']
        if e['name'] == 'ovs_packet_receive':
            received[tag] = (e['t'], p['port_no'])
            slow.discard(tag)
        elif e['name'] == 'ovs_upcall_begin':
            slow.add(tag)
        elif e['name'] == 'ovs_packet_send' and tag in received:
            t, port = received[tag]
            paths[port, p['port_no'], 'slow' if tag in slow else 'fast'].append(e['t'] - t)
    return paths


def check_paths(trace, host, name):
    expected = reference_paths(trace)
    got = {(p['in_port'], p['out_port'], p['path']): p['latency'] for p in host['paths']
           if p['in_port'] is not None}
    tap.ok(set(got) == set(expected), f'{name}: the paths between ports', set(got) ^ set(expected))
    wrong = [k for k, v in expected.items() if k in got and
             (got[k]['count'] != len(v) or got[k]['min_ns'] != min(v) or got[k]['max_ns'] != max(v) or
              got[k]['sum_ns'] != sum(v) or not near(got[k]['p50_ns'], median(v), 0.032))]
    tap.ok(not wrong, f'{name}: count, sum, bounds and median of each path', wrong)


def check_components(trace, name):
    derived = trace.truth['derived']
    host, components = trace.latency()
    for what, truth in (('fast path', 'receive_to_send_fast'), ('slow path', 'receive_to_send_via_upcall'),
                        ('lookup', 'lookup'), ('upcall round trip', 'upcall_to_execute')):
        got, expected = components[what], derived[truth]
        tap.ok(got['count'] == expected['n'] and near(got['p50_ns'], expected['p50_us'] * 1000),
               f'{name}: {what}: {expected["n"]} packets, median {expected["p50_us"]} us within 2 %',
               {k: v for k, v in got.items() if k != 'buckets'})
    check_paths(trace, host, name)
    return host


def check_a2(trace):
    derived = trace.truth['derived']
    counters = check_components(trace, 'a2')['counters']
    tap.ok(counters['packets'] == derived['tags'] == 716, 'a2: tagged packets', counters['packets'])
    tap.ok(counters['across_bridges'] == derived['receives_per_tag']['2'] == 712,
           'a2: packets seen on both bridges', counters['across_bridges'])
    tap.ok(counters['two_identities'] == 0, 'a2: no packet with two identities')
    tap.ok(counters['received'] == derived['events']['ovs_packet_receive'] and
           counters['executes'] == derived['events']['ovs_packet_execute'] and
           counters['upcalls'] == counters['misses'] == 14, 'a2: receives, upcalls, executes', counters)
    bridges = [{p['ifname'] for p in b['ports'] if p['ifname']} for b in trace.call('network.bridges')]
    tap.ok({'p-ns1', 'x0'} in bridges and {'p-ns2', 'x1'} in bridges, 'a2: two bridges', bridges)
    tap.ok(sorted(len(b['ports']) for b in trace.call('network.bridges')) == [3, 3],
           'a2: each with the port that is down')
    slow = [p['attributes'] for p in trace.latency()[0]['slowest'] if p['attributes']['path'] == 'slow']
    tap.ok(len(slow) >= 4 and all(p['steps'][0]['what'] == 'receive' and p['steps'][-1]['what'] == 'done'
                                  for p in slow), 'a2: slow packets with all their steps, on each bridge', slow)
    path = trace.call('network.path', src='10.1.0.1', dst='10.1.0.2')
    hops = [(h['hop'], h['in_ifname'], h['out_ifname']) for h in path['hops'] if h['packets'] > 100]
    tap.ok(hops == [(1, 'p-ns1', 'x0'), (2, 'x1', 'p-ns2')], 'a2: the way over both bridges', hops)


# -- b: kprobes, a storm and churn -----------------------------------------------


def reference_upcalls(trace):
    """Round trips without identities: each CPU's upcalls are answered in order, by one thread."""
    waiting, of_thread, trips = defaultdict(deque), {}, []
    pending = 0
    for e in trace.events('kp_ovs_dp_upcall', 'kp_ovs_packet_cmd_execute'):
        tid, cpu = e['context']['tid'], e['packet']['cpu_id']
        if e['name'] == 'kp_ovs_dp_upcall':
            waiting[cpu].append(e['t'])
            pending += 1
            continue
        if pending == 1:
            of_thread[tid] = next(c for c, q in waiting.items() if q)
        cpu = of_thread.get(tid)
        if cpu is not None and waiting[cpu]:
            trips.append(e['t'] - waiting[cpu].popleft())
            pending -= 1
    return trips


def check_b(trace):
    tools = trace.tools
    window = {'since_ns': trace.mark('storm-start'), 'until_ns': trace.mark('storm-end')}
    host, components = trace.latency(**window)
    counters = host['counters']
    missed = tools['ovs-storm-after.txt']['missed'] - tools['ovs-storm-before.txt']['missed']
    tap.ok(missed == 302 and counters['misses'] == counters['upcalls'] == counters['executes'] ==
           counters['flows_added'] == missed,
           'b: the storm: as many misses, upcalls, executes and flow puts as dpctl counted', counters)
    alerts = [a['rule'] for a in trace.call('alert.list')]
    tap.ok(alerts == ['upcall-storm'], 'b: it is an alert', alerts)
    tap.ok(host['cache_hit_percent'] is None and host['source'] == 'kprobes' and
           all(p['in_port'] is None for p in host['paths']), 'b: what kprobes do not know is null')
    nulls = ('received_bytes', 'sent_bytes', 'across_bridges', 'masks_tried', 'cache_hits', 'dropped')
    tap.ok(all(counters[n] is None for n in nulls) and all(p['bytes'] is None for p in host['paths']) and
           all(b['bytes'] is None and b['dropped'] is None for b in trace.call('network.bridges')),
           'b: and no bytes, drops or cache hits are made up', counters)
    rtt = [line.split() for line in open(os.path.join(trace.path, 'truth-files/compute1/storm-rtt.txt'))
           if line[:1].isdigit()]
    first, second = (median(int(r[i]) for r in rtt) for i in (2, 3))
    slow, fast = components['slow path']['p50_ns'], components['fast path']['p50_ns']
    tap.ok(components['slow path']['count'] == 302 and components['fast path']['count'] >= 300 and
           first / 4 < 2 * slow < first and 2 * fast < second / 4 and slow > 10 * fast,
           'b: first packets (two upcalls a round trip) and second ones apart, as the pinger saw them',
           (first, 2 * slow, second, 2 * fast))
    trips = reference_upcalls(trace)
    (whole,) = trace.call('network.latency', since_ns=1)
    trip = next(c['latency'] for c in whole['components'] if c['name'] == 'upcall round trip')
    tap.ok(trip['count'] == whole['counters']['upcalls'] and near(trip['p50_ns'], median(trips), 0.032),
           'b: upcalls matched with executes as an independent count does', (trip['p50_ns'], median(trips)))
    (upcalls,) = trace.call('network.upcalls')
    cpu = {t['comm']: t['running_ns'] for t in upcalls['threads']}
    tap.ok(cpu.get('handler6', 0) > 10**7 and cpu.get('handler7', 0) > 10**7, 'b: the CPU that handlers had', cpu)
    storms = [s for s in upcalls['storms'] if s['start_ns'] <= window['until_ns']]
    tap.ok(len(storms) == 1 and storms[0]['status'] == 'over' and
           storms[0]['start_ns'] - 10**9 <= window['since_ns'] <= storms[0]['start_ns'] + 10**9 and
           250 <= storms[0]['attributes']['upcalls'] <= 302, 'b: the storm is told', storms)
    changes = trace.call('network.changes')
    ops = defaultdict(int)
    for change in changes['changes']:
        ops[change['op']] += change['comm'] == 'ovs-vswitchd' and change['took_ns'] > 0
    tap.ok(ops == {'vport.new': 12, 'vport.del': 12}, 'b: 12 ports added and 12 deleted', dict(ops))
    adds = [c['real_ns'] for c in tools['churn.jsonl'] if c['op'] == 'add-port']
    times = sorted(c['t_ns'] for c in changes['changes'] if c['op'] == 'vport.new')
    tap.ok(all(a < t < a + 10**9 for a, t in zip(adds, times)), "b: each after add-port was begun")
    commands = {(c['op'], c['comm']): c['count'] for c in changes['commands']}
    tap.ok(sum(n for (op, _), n in commands.items() if op == 'flow.new') == 307 and
           sum(n for (op, _), n in commands.items() if op == 'flow.del') == 317 and
           all(c.startswith('handler') for op, c in commands if op == 'flow.new'),
           'b: flows are made by handlers; each command is counted once', commands)


# -- f, h: virtual machines ---------------------------------------------------------


def check_f(trace):
    check_components(trace, 'f')
    vms = {v['vm']: v['pid'] for v in
           map(json.loads, open(os.path.join(trace.path, 'truth-files/compute3/vms.jsonl')))}
    places = trace.call('network.where', address='10.1.0.50')
    place = places[0]
    tap.ok(len(places) == 1 and place['local'] and place['pid'] == vms['dst'] and place['ifname'] == 'v-dst' and
           place['from']['ifname'] == 'taps', 'f: the guest is found by its IP, where it is and where it was', place)
    tap.ok(trace.call('network.where', address=place['mac'].upper()) == places, 'f: and by its MAC')
    replies = []
    for line in open(os.path.join(trace.path, 'truth-files/compute3/ping.txt')):
        if 'icmp_seq=' in line and line.startswith('['):
            replies.append((int(line.split('icmp_seq=')[1].split()[0]), float(line[1:].split(']')[0])))
    interval = (replies[-1][1] - replies[0][1]) / (replies[-1][0] - replies[0][0])
    missing = trace.tools['ping.txt']['missing_seq']
    lost = len(missing) * interval
    for what in ('gap_ns', 'traffic_gap_ns'):
        tap.ok(abs(place[what] / 1e9 - lost) <= interval,
               f'f: {what} {place[what] / 1e6:.0f} ms: within one packet interval of the {len(missing)} lost', lost)
    silence = max(b[1] - a[1] for a, b in zip(replies, replies[1:]) if b[0] - a[0] > 1)
    tap.ok(abs(place['traffic_gap_ns'] / 1e9 - silence) <= interval, "f: and of the pinger's silence", silence)
    tap.ok(place['from']['unanswered'] + place['from']['strays'] == len(missing),
           'f: what was lost went to the port that the guest had left', place['from'])
    moves = trace.call('network.changes')['moves']
    tap.ok([m['mac'] for m in moves] == [place['mac']], 'f: it is the one address that moved', moves)


def check_h(trace):
    check_components(trace, 'h')
    vms = {v['vm']: v['pid'] for v in
           map(json.loads, open(os.path.join(trace.path, 'truth-files/compute2/vms.jsonl')))}
    for address, vm, port in (('10.1.0.61', 'vm1', 'tapvm1'), ('10.1.0.62', 'vm2', 'tapvm2')):
        place = trace.call('network.where', address=address)[0]
        tap.ok((place['pid'], place['ifname'], place['local']) == (vms[vm], port, True),
               f'h: {address} is of {vm}', place)
    place = trace.call('network.where', address='10.1.0.9')[0]
    tap.ok(not place['local'] and place['ifname'] == 'p-ext', 'h: the one outside is behind its port', place)
    path = trace.call('network.path', src='10.1.0.9', dst='10.1.0.62')
    sent = sum(h['packets'] for h in path['hops'] if h['out_ifname'] == 'tapvm2')
    tap.ok(sent >= trace.tools['ping-ext-vm2.txt']['sent'] and
           not sum(h['lost'] for h in path['hops'] + path['back']),
           'h: all pings from outside on their way, none lost', sent)
    ports = {p['ifname']: p for p in trace.call('network.ports')}
    expected = defaultdict(lambda: [0, 0])
    for e in trace.events('ovs_packet_receive', 'ovs_packet_send'):
        expected[e['payload']['ifname']][e['name'] == 'ovs_packet_send'] += 1
    tap.ok({n: [p['received'], p['sent']] for n, p in ports.items() if n} == dict(expected), 'h: packets of each port')
    error = trace.call('network.where', address='10.9.9.9')
    tap.ok(error['data']['kind'] == 'not-found', 'h: an address that nobody has', error)


# -- kv: the way over two hosts -----------------------------------------------------


def check_kv(trace):
    path = trace.call('network.path', src='10.7.0.1', dst='10.7.0.2')
    way = [(h['host'], h['in_ifname'], h['out_ifname']) for h in path['hops'] if h['packets'] > 100]
    tap.ok(way == [('node-a', 'br-int', 'data0'), ('node-b', 'data0', 'br-int')],
           'kv: from the host of the one to that of the other', way)
    way = [(h['host'], h['in_ifname'], h['out_ifname']) for h in path['back'] if h['packets'] > 100]
    tap.ok(way == [('node-b', 'br-int', 'data0'), ('node-a', 'data0', 'br-int')], 'kv: and back', way)
    places = trace.call('network.where', address='5254.00AA.0050')
    tap.ok([(p['host'], p['ifname'], p['local']) for p in places] ==
           [('node-b', 'tapvm', True), ('node-a', 'data0', False)], 'kv: the guest is where it moved to', places)
    (migration,) = trace.call('migration.list')
    tap.ok(0 < migration['network_blackout_ns'] < 10**9 and migration['network'][0]['mac'] == places[0]['mac'],
           'kv: the migration knows how long the network was without it', migration['network'])
    error = trace.call('network.where', address='tapvm')
    tap.ok(error['data']['kind'] == 'invalid-params', 'kv: what is no address is said to be none', error)


def main():
    with tempfile.TemporaryDirectory() as folder:
        check_a2(Trace('a2-ovs-addon-live', folder))
        check_b(Trace('b-upcall-storm-churn', folder))
        check_f(Trace('f-live-migration', folder))
        check_h(Trace('h-compute-node', folder))
        check_kv(Trace('kv-normal', folder, 'full'))
    tap.done()


if __name__ == '__main__':
    main()
