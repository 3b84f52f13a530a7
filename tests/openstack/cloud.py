# SPDX-License-Identifier: MIT
"""Brings a cloud up on the nodes, by the packages' own start scripts."""
import concurrent.futures
import glob
import json
import os
import re
import time
import uuid

import config
from config import CONTROLLER, PASSWORD
from nodes import COMPUTES, until

DATABASES = ("keystone", "placement", "glance", "nova_api", "nova", "nova_cell0", "neutron", "cinder")
CLI = {"OS_AUTH_URL": f"http://{CONTROLLER}:5000/v3", "OS_USERNAME": "admin",
       "OS_PASSWORD": PASSWORD, "OS_PROJECT_NAME": "admin", "OS_USER_DOMAIN_NAME": "Default",
       "OS_PROJECT_DOMAIN_NAME": "Default", "OS_REGION_NAME": "RegionOne",
       "OS_COMPUTE_API_VERSION": "2.90", "OS_VOLUME_API_VERSION": "3.60"}
CLI_ENV = [f"{key}={value}" for key, value in CLI.items()]

# node: its services, in the order in which they start.
SERVICES = {
    "controller": ("placement-api", "glance-api", "nova-api", "nova-conductor", "nova-scheduler",
                   "neutron-api", "neutron-rpc-server", "cinder-api", "cinder-scheduler",
                   "neutron-linuxbridge-agent", "neutron-dhcp-agent"),
    "storage-1": ("cinder-volume",),
    "compute-1": ("nova-compute", "neutron-linuxbridge-agent"),
    "compute-2": ("nova-compute", "neutron-linuxbridge-agent"),
}

# A boot sector: interrupts on, sleep, again.
GUEST = b"\xfb\xf4\xeb\xfd".ljust(510, b"\0") + b"\x55\xaa"

ACCOUNTS = """
import openstack
cloud = openstack.connect()
identity = cloud.identity
project = identity.create_project(name="service", domain_id="default")
admin, service = identity.find_role("admin"), identity.create_role(name="service")
for name in ("nova", "neutron", "cinder", "glance", "placement"):
    user = identity.create_user(name=name, password="{password}", domain_id="default")
    for role in (admin, service):
        cloud.grant_role(role.id, user=user.id, project=project.id)
for kind, name, where in (
        ("compute", "nova", "8774/v2.1"), ("network", "neutron", "9696"),
        ("image", "glance", "9292"), ("placement", "placement", "8778"),
        ("volumev3", "cinderv3", "8776/v3/%(project_id)s")):
    made = identity.create_service(type=kind, name=name)
    for side in ("public", "internal", "admin"):
        identity.create_endpoint(service_id=made.id, interface=side, region_id="RegionOne",
                                 url="http://{controller}:" + where)
"""

RESOURCES = """
import openstack
cloud = openstack.connect()
cloud.create_image("tiny", filename="{image}", disk_format="raw", container_format="bare",
                   wait=True, visibility="public")
cloud.compute.create_flavor(name="nano", ram=64, vcpus=1, disk=1)
net = cloud.network.create_network(name="net", shared=True)
cloud.network.create_subnet(name="subnet", network_id=net.id, cidr="192.168.50.0/24", ip_version=4)
cloud.block_storage.create_type(name="nfs", extra_specs={"volume_backend_name": "nfs"})
"""


def configure(nodes):
    for name, node in nodes.items():
        for path, text in config.added(name):
            node.write(path, text, "a")
        for path in glob.glob(node.path("/etc/*/*uwsgi.ini")):
            with open(path) as file:
                text = config.web_server(file.read())
            with open(path, "w") as file:
                file.write(text)
    nodes["storage-1"].write("/etc/cinder/nfs_shares", f"{nodes['storage-1'].address}:/export\n")
    for name in COMPUTES:
        node = nodes[name]
        number = uuid.uuid5(uuid.NAMESPACE_DNS, name)
        node.write("/etc/libvirt/libvirtd.conf",
                   config.LIBVIRTD.format(address=node.address, uuid=number))
        node.write("/etc/libvirt/qemu.conf", config.QEMU)
        for link in glob.glob(node.path("/etc/libvirt/qemu/networks/autostart/*")):
            os.unlink(link)


def infrastructure(nodes):
    """What the services need: database, message bus, libvirt."""
    controller = nodes["controller"]
    controller.start("mariadbd", "mariadbd", "--no-defaults", "--datadir=/var/lib/mysql",
                     "--socket=/run/mysqld/mysqld.sock", "--pid-file=/run/mysqld/mysqld.pid",
                     "--bind-address=0.0.0.0", "--max-connections=500", "--user=mysql",
                     "--innodb-flush-log-at-trx-commit=0", "--character-set-server=utf8")
    os.chmod(controller.path("/run/mysqld"), 0o777)
    rabbit = ["RABBITMQ_NODENAME=rabbit@controller", "RABBITMQ_PID_FILE=/var/lib/rabbitmq/pid"]
    controller.start("rabbitmq", "/usr/lib/rabbitmq/bin/rabbitmq-server", user="rabbitmq",
                     env=rabbit)
    for name in COMPUTES:
        nodes[name].start("libvirtd", "libvirtd", "--listen")
    sql = "".join([f"CREATE DATABASE {name} CHARACTER SET utf8;" for name in DATABASES]) + \
        f"GRANT ALL ON *.* TO 'lab'@'%' IDENTIFIED BY '{PASSWORD}'; FLUSH PRIVILEGES;"
    socket = ("mariadb", "--no-defaults", "-S", "/run/mysqld/mysqld.sock", "-e")
    until(lambda: not controller.run(*socket, "SELECT 1", check=False).returncode, 60, "database")
    controller.run(*socket, sql)

    def control(*words, check=True):
        return controller.run("/usr/lib/rabbitmq/bin/rabbitmqctl", *words, user="rabbitmq",
                              env=rabbit, check=check)
    until(lambda: not control("await_startup", check=False).returncode, 90, "message bus")
    control("add_user", "openstack", PASSWORD)
    control("set_permissions", "openstack", ".*", ".*", ".*")


def databases(nodes):
    controller = nodes["controller"]

    def manage(*chains):
        for words in chains:
            controller.run(*words.split(), user=words.split("-")[0])
    keystone = ("keystone-manage db_sync",
                "keystone-manage fernet_setup --keystone-user keystone --keystone-group keystone",
                "keystone-manage credential_setup --keystone-user keystone --keystone-group keystone",
                f"keystone-manage bootstrap --bootstrap-password {PASSWORD} "
                f"--bootstrap-admin-url http://{CONTROLLER}:5000/v3/ "
                f"--bootstrap-internal-url http://{CONTROLLER}:5000/v3/ "
                f"--bootstrap-public-url http://{CONTROLLER}:5000/v3/ "
                "--bootstrap-region-id RegionOne")
    nova = ("nova-manage api_db sync",
            f"nova-manage cell_v2 map_cell0 --database_connection {config.database('nova_cell0')}",
            "nova-manage db sync", "nova-manage cell_v2 create_cell --name=cell1")
    others = ("placement-manage db sync", "glance-manage db_sync", "cinder-manage db sync")
    neutron = ("neutron-db-manage --config-file /etc/neutron/neutron.conf "
               "--config-file /etc/neutron/plugins/ml2/ml2_conf.ini upgrade heads",)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda chain: manage(*chain), (nova, keystone, neutron, others)))


def python(nodes, program):
    return nodes["controller"].run(
        "/usr/bin/python3", "-c", program.replace("{password}", PASSWORD)
        .replace("{controller}", CONTROLLER), env=CLI_ENV)


def accounts(nodes):
    controller = nodes["controller"]
    controller.service("keystone")
    until(lambda: not controller.run("bash", "-c", f"</dev/tcp/{CONTROLLER}/5000",
                                     check=False).returncode, 60, "keystone")
    python(nodes, ACCOUNTS)


def services(nodes, names=SERVICES):
    for node, wanted in names.items():
        for name in wanted:
            if name not in nodes[node].services:
                nodes[node].service(name)

    def up():
        agents = command(nodes, "network", "agent", "list", check=False) or []
        computes = command(nodes, "compute", "service", "list", check=False) or []
        volumes = command(nodes, "volume", "service", "list", check=False) or []
        return sum(agent["Alive"] for agent in agents) == 4 and \
            sum(service["State"] == "up" for service in computes) == 4 and \
            sum(service["State"] == "up" for service in volumes) == 2
    until(up, 240, "all services up")


def resources(nodes):
    image = os.path.join(nodes["controller"].own, "tiny.raw")
    with open(image, "wb") as file:
        file.write(GUEST.ljust(1 << 20, b"\0"))
    python(nodes, RESOURCES.replace("{image}", image))
    nodes["controller"].run("nova-manage", "cell_v2", "discover_hosts", user="nova")


class Cli:
    """What the CLI did: command, times, exit status, [(service, request id)] that it was told."""
    done = []


_USED = re.compile(r" call to (\S+) for \S+ used request id (req-[0-9a-f-]+)")


def command(nodes, *words, check=True, form=("-f", "json")):
    """`openstack WORDS`: what it prints, as JSON; None if it failed."""
    began = time.time()
    done = nodes["controller"].run("openstack", "--debug", *words, *form, env=CLI_ENV, check=False)
    Cli.done.append({"command": words, "began": began, "ended": time.time(),
                     "exit": done.returncode, "requests": _USED.findall(done.stderr)})
    if done.returncode:
        if check:
            raise RuntimeError(f"openstack {' '.join(words)}: {done.stderr[-1500:]}")
        return None
    return json.loads(done.stdout) if form and done.stdout.strip() else {}
