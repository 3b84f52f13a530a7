#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The analyzers of OpenStack's log lines on real traces, against what the API said (truth.json):
requests, states, steps, volumes, RPC; and the same facts from both readers.  Folders of more
recordings may be given as arguments."""
import collections
import datetime
import json
import os
import subprocess
import sys

SRC = os.environ.get('top_srcdir', '.')
BUILD = os.environ.get('top_builddir', '.')
SCENARIOS = ['agent-mode', 'boot-delete', 'create-novalidhost', 'lifecycle', 'livemig-abort',
             'livemig-fail-killed', 'livemig-ok', 'network', 'parallel10', 'reschedule', 'resize',
             'volume']
# What a command asks of which service: the operation of its request that changes something.
OPERATIONS = [
    ('server create', 'server.create'), ('server delete', 'server.delete'),
    ('server reboot', 'server.reboot'), ('server stop', 'server.stop'),
    ('server start', 'server.start'), ('server pause', 'server.pause'),
    ('server unpause', 'server.unpause'), ('server suspend', 'server.suspend'),
    ('server resume', 'server.resume'), ('server resize confirm', 'server.confirm-resize'),
    ('server resize revert', 'server.revert-resize'), ('server resize', 'server.resize'),
    ('server migrate --live', 'server.live-migrate'), ('server migrate', 'server.migrate'),
    ('server migration abort', 'server.live-migrate-abort'),
    ('server migration force complete', 'server.live-migrate-force-complete'),
    ('server add volume', 'server.attach-volume'), ('server remove volume', 'server.detach-volume'),
    ('server add port', 'server.attach-interface'), ('server shelve', 'server.shelve'),
    ('server unshelve', 'server.unshelve'), ('server rescue', 'server.rescue'),
    ('server unrescue', 'server.unrescue'), ('server rebuild', 'server.rebuild'),
    ('server image create', 'server.snapshot'), ('server lock', 'server.lock'),
    ('server unlock', 'server.unlock'), ('server evacuate', 'server.evacuate'),
    ('volume create', 'volume.create'), ('volume delete', 'volume.delete'),
    ('volume snapshot create', 'snapshot.create'), ('network create', 'network.create'),
    ('network delete', 'network.delete'), ('subnet create', 'subnet.create'),
    ('router create', 'router.create'), ('router delete', 'router.delete'),
    ('router add subnet', 'router.add-interface'),
    ('router remove subnet', 'router.remove-interface'), ('port create', 'port.create'),
    ('port delete', 'port.delete'), ('floating ip create', 'floatingip.create'),
]
# Steps of Nova that last as long as its server actions' events do.
STEPS = {
    'compute__do_build_and_run_instance': 'build', 'compute_reboot_instance': 'instance.reboot',
    'compute_stop_instance': 'instance.power_off', 'compute_start_instance': 'instance.power_on',
    'compute_pause_instance': 'instance.pause', 'compute_unpause_instance': 'instance.unpause',
    'compute_suspend_instance': 'instance.suspend', 'compute_resume_instance': 'instance.resume',
    'compute_attach_volume': 'instance.volume_attach',
    'compute_confirm_resize': 'instance.resize_confirm',
    'compute_finish_resize': 'instance.resize_finish',
}
count = 0
failed = 0


def report(ok, name, why=''):
    global count, failed
    count += 1
    failed += not ok
    print(f"{'ok' if ok else 'not ok'} {count} - {name}{': ' + str(why)[:600] if why else ''}",
          flush=True)


def unpack(name):
    return subprocess.run(['sh', os.path.join(SRC, 'tests/lib/corpus.sh'), name], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


def read(folder, *options):
    """The last telling of each fact, and what the analyzers did not expect."""
    out = subprocess.run([os.path.join(BUILD, 'tests/trace_facts'), *options, folder], check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
    facts = {}
    for line in out.stdout.splitlines():
        fact = json.loads(line)
        if fact['type'] == 'retract':
            facts.pop(fact['id'], None)
        else:
            facts[fact['id']] = fact
    return list(facts.values()), out.stderr.decode()


def notifications(folder):
    """Nova's instance.update of each instance, in their order."""
    out = subprocess.run([os.path.join(BUILD, 'cloudtraced'), '--dump', folder], check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=300).stdout
    updates = collections.defaultdict(list)
    for line in out.splitlines():
        if b'instance.update' not in line:
            continue
        event = json.loads(line)
        notification = json.loads(event['payload']['msg']).get('notification', {})
        if notification.get('event_type') == 'instance.update':
            data = notification['payload']['nova_object.data']
            change = data['state_update']['nova_object.data']
            updates[data['uuid']].append((event['t'], change, data))
    return updates


def of_kind(facts, kind):
    return [f for f in facts if f['kind'] == kind]


def check_requests(name, facts, truth):
    requests = collections.defaultdict(list)
    for fact in of_kind(facts, 'api.request'):
        requests[fact['key']].append(fact)
    wrong, seen = [], 0
    for operation in truth['operations']:
        for asked in operation.get('requests', []):
            if asked['service'] == 'identity' or not asked['request_id']:
                continue
            seen += 1
            got = [f for f in requests[asked['request_id']]
                   if (f['attributes']['service'] == 'glance-api') == (asked['service'] == 'image')]
            if len(got) != 1:
                wrong.append(f"{asked['method']} {asked['request_id']}: {len(got)} requests")
                continue
            attributes = got[0]['attributes']
            path = asked['url'].split('//', 1)[1].partition('/')[2]
            status = attributes.get('http_status', 0)
            if attributes['method'] != asked['method'] or '/' + path != attributes['path'] or \
                    got[0]['status'] != ('error' if status >= 400 else 'ok') or not status or \
                    attributes['began_ns' if 'began_ns' in attributes else 'pid'] <= 0:
                wrong.append(f"{asked['method']} {path}: {attributes}")
            lasts = got[0]['end_ns'] / 1e9
            if not operation['t_start'] - 0.1 <= lasts <= operation['t_end'] + 0.1:
                wrong.append(f"{asked['request_id']} ends at another time")
    report(seen > 10 and not wrong, f'{name}: {seen} requests that the client made', wrong)


def check_operations(name, facts, truth):
    requests = {f['key']: f['attributes'] for f in of_kind(facts, 'api.request')
                if f['attributes']['service'] != 'glance-api'}
    wrong = []
    for operation in truth['operations']:
        words = operation.get('cmd', '').removeprefix('openstack ')
        expected = next((what for prefix, what in OPERATIONS if words.startswith(prefix)), None)
        asked = {requests[a['request_id']].get('operation') for a in operation.get('requests', [])
                 if a['method'] != 'GET' and a['request_id'] in requests}
        if expected and asked and expected not in asked:
            wrong.append(f'{words[:50]}: {asked}')
    report(not wrong, f'{name}: operations', wrong)


def check_states(name, facts, truth, updates):
    changes = collections.defaultdict(list)
    for fact in sorted(of_kind(facts, 'vm.change'), key=lambda f: f['start_ns']):
        changes[fact['attributes']['instance']].append(fact)
    wrong = []
    for instance, told in updates.items():
        for what, old, new in (('vm_state', 'old_state', 'state'),
                               ('task_state', 'old_task_state', 'new_task_state')):
            got = [(c['start_ns'], c['attributes']['from'], c['attributes']['to'])
                   for c in changes[instance] if c['attributes']['what'] == what]
            # Two processes may tell of the same change.
            expected = [(t, c[new]) for (t, c, _), (_, before, _) in zip(told[1:], told)
                        if c[old] != c[new] and c[new] != before[new]]
            missing = [e for e in expected
                       if not any(abs(g[0] - e[0]) < 10 and g[2] == e[1] for g in got)]
            if missing:
                wrong.append(f'{instance} {what} misses {missing[:3]}')
            # A chain without gaps, from which the last is what the last notification says.
            if any(a[2] != b[1] for a, b in zip(got, got[1:])) or \
                    (got and got[-1][2] != told[-1][1][new]):
                wrong.append(f'{instance} {what}: {[g[1:] for g in got]}')
    report(updates and not wrong, f'{name}: states of {len(updates)} instances', wrong)
    wrong = []
    for server in truth.get('servers', {}).values():
        shown = server.get('show') or {}
        last = [c['attributes'] for c in changes.get(shown.get('id'), [])
                if c['attributes']['what'] == 'vm_state' and c['attributes']['to'] != 'deleted']
        if last and last[-1]['to'] != shown['OS-EXT-STS:vm_state']:
            wrong.append(f"{shown['name']} is {shown['OS-EXT-STS:vm_state']}, not {last[-1]['to']}")
    report(not wrong, f'{name}: final states', wrong)


def seconds(text):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc).timestamp()


def check_steps(name, facts, truth):
    steps = of_kind(facts, 'nova.step')
    wrong, seen = [], 0
    for server in truth.get('servers', {}).values():
        for action in server.get('events') or []:
            for event in action['events']:
                step = STEPS.get(event['event'])
                if not step or event['result'] != 'Success':
                    continue
                seen += 1
                got = [s for s in steps if s['attributes']['name'] == step and
                       s['attributes'].get('request_id') == action['request_id'] and
                       s['attributes'].get('instance') == action['instance_uuid']]
                end = seconds(event['finish_time'])
                # "Success" is said of builds that left the instance in error, too.
                if not any(abs(s['end_ns'] / 1e9 - end) < 3 for s in got):
                    wrong.append(f"{step} of {action['request_id']} ends at {end}: "
                                 f"{[(s['status'], s['end_ns'] / 1e9) for s in got]}")
    report(not wrong, f'{name}: {seen} steps that Nova recorded', wrong)


def check_rpc(name, facts):
    sent = {f['key']: f for f in of_kind(facts, 'rpc.call')}
    served = {f['key']: f for f in of_kind(facts, 'rpc.served')}
    pairs = [key for key in served if key in sent]
    early = [k for k in pairs if served[k]['start_ns'] < sent[k]['start_ns']]
    open_calls = [k for k in pairs if sent[k]['attributes']['what'] == 'call' and
                  served[k]['status'] == 'ok' and sent[k]['status'] != 'ok']
    report(len(pairs) > 20 and len(served) - len(pairs) <= 4 and not early and len(open_calls) <= 1,
           f'{name}: {len(pairs)} messages sent and served', f'{len(served)} served, {early[:3]}, '
           f'{open_calls[:3]}' if len(served) - len(pairs) > 4 or early or open_calls else '')


def check_volume(name, facts):
    volumes = {f['key'] for f in of_kind(facts, 'volume') if 'path' in f['attributes'] and
               f['key'] in f['attributes']['path'] and f['attributes']['device'] == '/dev/vdb'}
    links = {f['attributes']['volume'] for f in of_kind(facts, 'vm.volume')
             if f['attributes']['device'] == '/dev/vdb'}
    report(volumes and volumes <= links, f'{name}: path and device of the volume', volumes ^ links)


CAUSES = {
    'create-novalidhost': {'no-valid-host'}, 'reschedule': {'reschedule', 'vif-plug-timeout'},
    'livemig-abort': {'migration-aborted'}, 'livemig-fail-killed': {'migration-failed'},
    'volume': {'detach-failed'},
}


def check_causes(name, facts):
    causes = {f['attributes']['cause'] for f in of_kind(facts, 'log.error')}
    wanted = CAUSES.get(name, set())
    report(wanted <= causes, f'{name}: causes {sorted(wanted)}', causes if wanted - causes else '')


def check_scenario(name, folder):
    truth = json.load(open(os.path.join(folder, 'truth.json')))
    facts, unexpected = read(os.path.join(folder, 'ctf'))
    check_requests(name, facts, truth)
    check_operations(name, facts, truth)
    check_states(name, facts, truth, notifications(os.path.join(folder, 'ctf')))
    check_steps(name, facts, truth)
    check_rpc(name, facts)
    check_causes(name, facts)
    if name == 'volume':
        check_volume(name, facts)
    report(not unexpected, f'{name}: nothing unexpected', unexpected)
    return facts


def check_readers(name, folder, facts):
    others, _ = read(os.path.join(folder, 'ctf'), '--babeltrace2')
    ours = {f['id']: f for f in facts}
    theirs = {f['id']: f for f in others}
    wrong = [key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)]
    report(not wrong, f'{name}: the same facts from both readers', wrong[:3])


def main():
    for name in SCENARIOS:
        folder = unpack('openstack/' + name)
        facts = check_scenario(name, folder)
        if name in ('boot-delete', 'livemig-abort', 'volume'):
            check_readers(name, folder, facts)
    for folder in sys.argv[1:]:
        check_scenario(os.path.basename(folder.rstrip('/')), folder)
    print(f'1..{count}')
    return 1 if failed else 0


sys.exit(main())
