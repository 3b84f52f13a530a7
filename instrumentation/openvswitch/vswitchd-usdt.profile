# SPDX-License-Identifier: MIT
# USDT probes of ovs-vswitchd, where it was built with --enable-usdt-probes
# (the README says how to see that).  A line is one event:
#   kernel-sdt NAME PROVIDER:PROBE
# for: lttng enable-event -k --userspace-probe=sdt:PROGRAM:PROVIDER:PROBE NAME

# a thread has taken a packet from the kernel
kernel-sdt usdt_recv_upcall dpif_recv:recv_upcall
# and is about to give it back, and to make a flow for it
kernel-sdt usdt_op_flow_execute dpif_netlink_operate__:op_flow_execute
kernel-sdt usdt_op_flow_put dpif_netlink_operate__:op_flow_put
kernel-sdt usdt_op_flow_del dpif_netlink_operate__:op_flow_del
# the main loop works, and rests
kernel-sdt usdt_run_start main:run_start
kernel-sdt usdt_poll_block main:poll_block
