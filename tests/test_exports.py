#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Flows and migrations for other tools: Perfetto (decoded by protoc), Chrome's JSON, OTLP at a collector that
refuses for a while; the Grafana dashboard and Prometheus rules of contrib/."""
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import CTL, CLOUDTRACED, TOP, Lab, Tap, corpus, wait_for  # noqa: E402

tap = Tap()


def export(lab, form, name, store):
    r = subprocess.run([CTL, "--store", lab.path(store), "export", form, name], capture_output=True,
                       env=dict(os.environ, CLOUDTRACED=CLOUDTRACED), timeout=60)
    assert r.returncode == 0, r.stderr
    return r.stdout


def decode(data):
    """The packets as a list of dicts of what protoc prints; None when it finds unknown fields."""
    r = subprocess.run(["protoc", f"--proto_path={TOP}/tests/lib", "--decode=perfetto.protos.Trace",
                        f"{TOP}/tests/lib/perfetto.proto"], input=data, capture_output=True, timeout=60)
    text = r.stdout.decode()
    if r.returncode or re.search(r"^ *\d+[:{ ]", text, re.M):
        return None
    packets = []
    for line in text.splitlines():
        if line == "packet {":
            packets.append({})
        m = re.match(r"^ {2,4}(\w+): (.*)$", line)
        if m:
            packets[-1].setdefault(m.group(1), m.group(2))
    return packets


def balanced(packets):
    """Begins and ends nest on each track; gives how many begins, or -1."""
    open_of, begins = {}, 0
    for p in packets:
        track = p.get("track_uuid")
        if p.get("type") == "TYPE_SLICE_BEGIN":
            begins += 1
            open_of.setdefault(track, []).append(int(p["timestamp"]))
        elif p.get("type") == "TYPE_SLICE_END":
            if not open_of.get(track) or open_of[track].pop() > int(p["timestamp"]):
                return -1
    return -1 if any(open_of.values()) else begins


def perfetto(lab, what, name, record, store):
    packets = decode(export(lab, "perfetto", name, store))
    if not tap.ok(packets, f"Perfetto, {what}: protoc knows all of it"):
        return
    spans = record.get("spans")
    begins = balanced(packets)
    tap.ok(begins > 3 and (not spans or begins == len(spans)), f"{what}: each span begins and ends", begins)
    names = {p["name"] for p in packets if p.get("type") == "TYPE_SLICE_BEGIN"}
    times = {int(p["timestamp"]) for p in packets if "timestamp" in p}
    if spans:
        tap.ok({json.dumps(s["name"]) for s in spans} == names, f"{what}: names", names)
        tap.ok({s["start_ns"] for s in spans} <= times, f"{what}: times to the ns")
    else:
        tap.ok({'"live migration"', '"precopy"', '"round 1"'} <= names, f"{what}: stages and rounds", names)
        tap.ok(any(p.get("type") == "TYPE_COUNTER" for p in packets), f"{what}: the curve of memory left")


def chrome(lab, what, name, store):
    events = json.loads(export(lab, "chrome", name, store))["traceEvents"]
    tracks = {}
    for e in events:
        if e["ph"] == "X":
            tracks.setdefault((e["pid"], e["tid"]), []).append((e["ts"], e["ts"] + e["dur"]))
    nests = all(b[0] >= a[1] - 0.001 or b[1] <= a[1] + 0.001 for t in tracks.values()
                for t in [sorted(t, key=lambda s: (s[0], -s[1]))]
                for i, a in enumerate(t) for b in t[i + 1:])
    tap.ok(tracks and nests, f"Chrome, {what}: what shares a track nests")
    tap.ok(min(e["ts"] for e in events if "ts" in e) >= 0, f"{what}: times count from its begin")


class Collector(http.server.BaseHTTPRequestHandler):
    bodies, statuses, times = [], [503, 400], []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Collector.times.append(time.monotonic())
        status = Collector.statuses.pop(0) if Collector.statuses else 200
        Collector.bodies.append((status, self.path, self.headers["Content-Type"], json.loads(body)))
        self.send_response(status)
        if status == 503:
            self.send_header("Retry-After", "2")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


VALUES = {"stringValue": str, "boolValue": bool, "doubleValue": (int, float)}
# Members of the messages of opentelemetry-proto's trace.v1, in their JSON names.
KNOWN = {"traceId", "spanId", "traceState", "parentSpanId", "flags", "name", "kind", "startTimeUnixNano",
         "endTimeUnixNano", "attributes", "droppedAttributesCount", "events", "droppedEventsCount", "links",
         "droppedLinksCount", "status"}


def wrong_attributes(where, attributes):
    for a in attributes:
        if set(a) != {"key", "value"} or len(a["value"]) != 1:
            yield f"{where}: attribute {a}"
            continue
        (kind, value), = a["value"].items()
        if kind == "intValue":
            if not (isinstance(value, str) and re.fullmatch(r"-?\d+", value)):
                yield f"{where}: {a['key']}: 64-bit integers are strings"
        elif kind not in VALUES or not isinstance(value, VALUES[kind]):
            yield f"{where}: {a['key']}: {kind} {value!r}"


def wrong_span(span):
    where = span.get("name", "?")
    if set(span) - KNOWN:
        yield f"{where}: unknown {set(span) - KNOWN}"
    for name, size in (("traceId", 32), ("spanId", 16)):
        if not re.fullmatch(f"[0-9a-f]{{{size}}}", span[name]) or not int(span[name], 16):
            yield f"{where}: {name} {span[name]}"
    if span["parentSpanId"] and not re.fullmatch("[0-9a-f]{16}", span["parentSpanId"]):
        yield f"{where}: parentSpanId {span['parentSpanId']}"
    if span["kind"] not in (1, 2, 3, 4, 5) or span["status"].get("code", 0) not in (0, 1, 2):
        yield f"{where}: enumerations are integers"
    for name in ("startTimeUnixNano", "endTimeUnixNano"):
        if not isinstance(span[name], str) or not span[name].isdigit():
            yield f"{where}: {name} {span[name]!r}"
    if int(span["startTimeUnixNano"]) > int(span["endTimeUnixNano"]):
        yield f"{where}: ends before it starts"
    yield from wrong_attributes(where, span["attributes"])


def wrong_body(body):
    """What is not as the JSON mapping of OTLP wants it."""
    if set(body) != {"resourceSpans"}:
        yield f"members {set(body)}"
    for resource in body["resourceSpans"]:
        if set(resource) != {"resource", "scopeSpans"}:
            yield f"resource {set(resource)}"
        attributes = {a["key"]: a["value"] for a in resource["resource"]["attributes"]}
        yield from wrong_attributes("resource", resource["resource"]["attributes"])
        if "service.name" not in attributes:
            yield "resource without service.name"
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                yield from wrong_span(span)


def otlp(lab):
    collector = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    with open(lab.path("conf"), "w") as file:
        file.write(f"[receiver traces]\ntype = otlp\nurl = http://127.0.0.1:{collector.server_port}/v1/traces\n"
                   "retry-min = 100ms\n")
    lab.relayd()
    daemon = lab.daemon(f"--config={lab.path('conf')}", store="live.db")
    lab.replay("--now", "--speed", "0", corpus("qemu/a-idle"), wait=False)
    wait_for(lambda: len(Collector.bodies) >= 2, 40, 0.1)
    lab.replay("--now", "--speed", "0", corpus("openstack/livemig-ok"), wait=False)
    if not tap.ok(wait_for(lambda: [b for b in Collector.bodies if b[0] == 200], 60, 0.1),
                  "OTLP: the collector gets finished flows", lab.log("cloudtraced.log")):
        return
    tap.same([b[0] for b in Collector.bodies[:3]], [503, 400, 200], "it retries after 503, never after 400")
    tap.ok(Collector.times[1] - Collector.times[0] >= 1.9, "and waits as Retry-After says")
    status, path, kind, body = [b for b in Collector.bodies if b[0] == 200][0]
    tap.ok(path == "/v1/traces" and kind == "application/json", "to the right place", (path, kind))
    wrong = list(wrong_body(body))
    tap.ok(not wrong, "the body is as the specification's JSON mapping wants it", "\n".join(wrong[:20]))
    spans = [s for b in Collector.bodies if b[0] == 200 for r in b[3]["resourceSpans"] for c in r["scopeSpans"]
             for s in c["spans"]]
    ids = [s["spanId"] for s in spans]
    tap.ok(len(ids) == len(set(ids)), "no span comes twice")
    flows = {f["id"]: f for f in lab.json("flow", "list") if f["end_ns"]}
    traces = {i.replace("req-", "").replace("-", "") for i in flows}
    tap.ok({s["traceId"] for s in spans} <= traces and spans, "trace ids are those of the requests")
    roots = [s for s in spans if not s["parentSpanId"]]
    tap.ok(len(roots) == len({s["traceId"] for s in spans}), "each trace has one root", len(roots))
    tap.ok(all(s["parentSpanId"] in ids for s in spans if s["parentSpanId"]), "parents are there")
    daemon.terminate()
    daemon.wait(10)
    collector.shutdown()


def contrib(lab):
    rules = os.path.join(TOP, "contrib/prometheus-rules.yml")
    if shutil.which("promtool"):
        r = subprocess.run(["promtool", "check", "rules", rules], capture_output=True, text=True)
        tap.ok(r.returncode == 0, "promtool finds contrib/prometheus-rules.yml good", r.stdout + r.stderr)
    with open(os.path.join(TOP, "daemon/metrics.c")) as file:
        known = set(re.findall(r'"((?:cloudtraced|process)_\w+)"', file.read()))
    with open(os.path.join(TOP, "contrib/grafana-dashboard.json")) as file:
        dashboard = json.load(file)
    with open(rules) as file:
        text = file.read() + json.dumps(dashboard)
    used = set(re.findall(r"\b((?:cloudtraced|process)_[a-z_]+?)(?:_bucket|_count|_sum)?\b(?=[{\[)\s\"\\<>=!+*/-])", text))
    own = {"cloudtraced_input_events_total", "cloudtraced_input_discarded_total"}
    tap.ok(used and used <= known | own, "dashboard and rules use metrics that there are", used - known - own)
    tap.ok(dashboard["panels"] and all(p["targets"] for p in dashboard["panels"] if p["type"] != "row"),
           "the dashboard has panels with queries")


with Lab() as lab:
    lab.read(corpus("openstack/livemig-ok"), store="os.db")
    lab.read(corpus("qemu/b-rounds"), store="qemu.db")
    flow = next(f for f in lab.json("flow", "list", store="os.db") if f["kind"] == "server.live-migrate")
    flow = lab.json("flow", "show", flow["id"], store="os.db")
    migration = lab.json("migration", "list", store="qemu.db")[0]
    perfetto(lab, "a flow", flow["id"], flow, "os.db")
    perfetto(lab, "a migration", migration["id"], migration, "qemu.db")
    chrome(lab, "a flow", flow["id"], "os.db")
    chrome(lab, "a migration", migration["id"], "qemu.db")
    code, out, err = lab.ctl("export", "perfetto", "nonsense", store="os.db")
    tap.ok(code == 3, "what is not there: exit 3", (code, err))
    for form in ("csv", "ndjson"):
        code, out, err = lab.ctl("-o", form, "flow", "list", store="os.db")
        tap.ok(code == 0 and out.count("\n") >= 2, f"lists as {form}", err)
    contrib(lab)
    otlp(lab)
tap.done()
