# SPDX-License-Identifier: MIT
"""What is added to the configuration files of Debian's packages, and to which node's.

Options that come later in a file win, and a section may come twice: so the
files stay as they are, and get these lines at their end."""
import re

from nodes import ADDRESSES, COMPUTES

CONTROLLER = ADDRESSES["controller"]
PASSWORD = "lab"


def database(name):
    return f"mysql+pymysql://lab:{PASSWORD}@{CONTROLLER}/{name}?charset=utf8"


def login(user):
    return f"""www_authenticate_uri = http://{CONTROLLER}:5000
auth_url = http://{CONTROLLER}:5000
auth_type = password
username = {user}
password = {PASSWORD}
project_name = service
user_domain_name = Default
project_domain_name = Default
region_name = RegionOne
"""


def common(user):
    return f"""
[DEFAULT]
transport_url = rabbit://openstack:{PASSWORD}@{CONTROLLER}:5672/
rpc_response_timeout = 60
debug = false
[keystone_authtoken]
{login(user)}service_token_roles_required = true
[service_user]
send_service_user_token = true
{login(user)}[oslo_concurrency]
lock_path = /run/lock
"""


KEYSTONE = f"""
[database]
connection = {database("keystone")}
"""

PLACEMENT = f"""
[keystone_authtoken]
{login("placement")}[placement_database]
connection = {database("placement")}
"""

GLANCE = common("glance") + f"""
[DEFAULT]
workers = 1
enabled_backends = file:file
[glance_store]
default_backend = file
[file]
filesystem_store_datadir = /var/lib/glance/images
[database]
connection = {database("glance")}
[paste_deploy]
flavor = keystone
"""


def nova(node):
    out = common("nova") + f"""
[DEFAULT]
my_ip = {ADDRESSES[node]}
report_interval = 5
service_down_time = 20
vif_plugging_timeout = 30
vif_plugging_is_fatal = false
[api]
auth_strategy = keystone
[glance]
api_servers = http://{CONTROLLER}:9292
[placement]
{login("placement")}[neutron]
{login("neutron")}[cinder]
os_region_name = RegionOne
{login("cinder")}[conductor]
workers = 1
[scheduler]
workers = 1
[vnc]
enabled = false
[upgrade_levels]
compute = auto
[workarounds]
skip_cpu_compare_on_dest = true
"""
    if node not in COMPUTES:
        out += f"""[api_database]
connection = {database("nova_api")}
[database]
connection = {database("nova")}
"""
    return out


def compute(node):
    return f"""
[DEFAULT]
host = {node}
[libvirt]
virt_type = qemu
cpu_mode = none
live_migration_scheme = tcp
live_migration_inbound_addr = {ADDRESSES[node]}
images_type = qcow2
hw_machine_type = x86_64=pc
num_pcie_ports = 0
"""


LIBVIRTD = """listen_tls = 0
listen_tcp = 1
auth_tcp = "none"
auth_unix_rw = "none"
unix_sock_group = "libvirt"
unix_sock_rw_perms = "0770"
listen_addr = "{address}"
host_uuid = "{uuid}"
"""

QEMU = """user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
"""


def neutron(node):
    return common("neutron") + f"""
[DEFAULT]
host = {node}
core_plugin = ml2
service_plugins =
auth_strategy = keystone
rpc_workers = 1
rpc_state_report_workers = 0
agent_down_time = 20
[agent]
report_interval = 8
[experimental]
linuxbridge = true
[database]
connection = {database("neutron")}
[nova]
{login("nova")}[placement]
{login("placement")}"""


ML2 = """
[ml2]
mechanism_drivers = linuxbridge
extension_drivers = port_security
[securitygroup]
enable_security_group = false
"""


def bridge_agent(node):
    return f"""
[vxlan]
enable_vxlan = true
local_ip = {ADDRESSES[node]}
l2_population = false
vxlan_group = 224.0.0.1
[securitygroup]
enable_security_group = false
firewall_driver = noop
"""


DHCP = """
[DEFAULT]
interface_driver = linuxbridge
enable_isolated_metadata = false
"""


def cinder(node):
    return common("cinder") + f"""
[DEFAULT]
host = {node}
my_ip = {ADDRESSES[node]}
auth_strategy = keystone
glance_api_servers = http://{CONTROLLER}:9292
enabled_backends = nfs
default_volume_type = nfs
report_interval = 5
service_down_time = 20
[nfs]
volume_driver = cinder.volume.drivers.nfs.NfsDriver
volume_backend_name = nfs
nfs_shares_config = /etc/cinder/nfs_shares
nas_secure_file_operations = false
nas_secure_file_permissions = false
[nova]
{login("nova")}[database]
connection = {database("cinder")}
"""


# node: the files that cloudtrace-openstack-setup is given there.
TRACED = {
    "controller": ("/etc/nova/nova.conf", "/etc/neutron/neutron.conf", "/etc/cinder/cinder.conf",
                   "/etc/glance/glance-api.conf", "/etc/placement/placement.conf"),
    "compute-1": ("/etc/nova/nova.conf", "/etc/neutron/neutron.conf"),
    "compute-2": ("/etc/nova/nova.conf", "/etc/neutron/neutron.conf"),
    "storage-1": ("/etc/cinder/cinder.conf",),
}


def added(node):
    """[(file, what is added to it)]"""
    files = {
        "/etc/nova/nova.conf": nova(node),
        "/etc/neutron/neutron.conf": neutron(node),
        "/etc/neutron/plugins/ml2/ml2_conf.ini": ML2,
        "/etc/neutron/plugins/ml2/linuxbridge_agent.ini": bridge_agent(node),
        "/etc/neutron/dhcp_agent.ini": DHCP,
        "/etc/cinder/cinder.conf": cinder(node),
        "/etc/keystone/keystone.conf": KEYSTONE,
        "/etc/placement/placement.conf": PLACEMENT,
        "/etc/glance/glance-api.conf": GLANCE,
    }
    if node in COMPUTES:
        files["/etc/nova/nova-compute.conf"] = compute(node)
    return files.items()


def web_server(text):
    """The configuration of a uwsgi: one process with one thread, and it says that it closes
    connections, which clients that use them again would else learn too late.  Neutron's many
    threads have an event loop of eventlet each, which stands still until the thread gets its
    next request: with few requests, what it holds (a connection to the message bus) is held
    for minutes."""
    text = re.sub(r"(?m)^threads *=.*$", "threads = 1", text)
    return re.sub(r"(?m)^processes *=.*$", "processes = 1\nadd-header = Connection: close", text)
