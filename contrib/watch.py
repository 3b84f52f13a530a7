#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A tiny client of cloudtraced(8) without libraries: prints what fires, then each alert as it changes.

    watch.py /run/cloudtraced/ro.sock
    watch.py HOST:PORT AUTHORITY.pem CERTIFICATE.pem KEY.pem"""
import json
import socket
import ssl
import sys


def connect(address, ca=None, certificate=None, key=None):
    if not ca:
        stream = socket.socket(socket.AF_UNIX)
        stream.connect(address)
        return stream.makefile("rw", encoding="utf-8", newline="\n")
    host, port = address.rsplit(":", 1)
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(certificate, key)
    stream = context.wrap_socket(socket.create_connection((host, int(port))), server_hostname=host)
    return stream.makefile("rw", encoding="utf-8", newline="\n")


def ask(daemon, method, **params):
    daemon.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) + "\n")
    daemon.flush()
    reply = json.loads(daemon.readline())
    if "error" in reply:
        sys.exit(reply["error"]["message"])
    return reply["result"]


def show(alert):
    print(alert["state"], alert["severity"], alert["rule"] + ":", alert["text"], flush=True)


if __name__ == "__main__":
    daemon = connect(*sys.argv[1:5])
    hello = json.loads(daemon.readline())
    if "error" in hello:
        sys.exit(hello["error"]["message"])
    cursor = ask(daemon, "watch", topic="alert")["cursor"]
    for alert in ask(daemon, "alert.list", state="firing"):
        show(alert)
    for line in daemon:
        for change in json.loads(line)["params"].get("items", []):
            if change["item"]:
                show(change["item"])
