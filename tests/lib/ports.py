# SPDX-License-Identifier: MIT
"""Ports for the servers of a test.  A port that was free a moment ago is not good enough where tests run
beside each other: the kernel gives such ports to clients, and another test finds the same one."""
import random
import socket

_first, _kernels = 10000, 32768
_locks = []


def free_ports(count):
    """Ports of the loopback interface that are this process's until it ends: none that the kernel gives
    to clients, and each marked by an abstract socket that no other test can bind meanwhile."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        end = max(min(int(file.read().split()[0]), _kernels), _first + 1000)
    ports = []
    while len(ports) < count:
        port = random.randrange(_first, end)
        lock = socket.socket(socket.AF_UNIX)
        try:
            lock.bind(f"\0cloudtraced-test-port-{port}")
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            lock.close()
            continue
        _locks.append(lock)
        ports.append(port)
    return ports
