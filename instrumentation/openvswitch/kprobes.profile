# SPDX-License-Identifier: MIT
# Open vSwitch without our module: plain kprobes on what the packet and the
# control path pass through.  For "cloudtrace-session --events=FILE".
#   kernel-probe NAME SYMBOL      one event NAME when the function begins
#   kernel-function NAME SYMBOL   NAME_entry and NAME_exit

# a packet's way
kernel-probe kp_ovs_vport_receive ovs_vport_receive
kernel-probe kp_ovs_flow_key_extract ovs_flow_key_extract
kernel-probe kp_ovs_flow_tbl_lookup_stats ovs_flow_tbl_lookup_stats
kernel-probe kp_do_execute_actions do_execute_actions
kernel-probe kp_do_output do_output
kernel-probe kp_ovs_vport_send ovs_vport_send
kernel-probe kp_netdev_frame_hook netdev_frame_hook
kernel-probe kp_internal_dev_xmit internal_dev_xmit
kernel-probe kp_internal_dev_recv internal_dev_recv
kernel-probe kp_ovs_dp_process_packet ovs_dp_process_packet
kernel-probe kp_ovs_execute_actions ovs_execute_actions

# to ovs-vswitchd and back
kernel-probe kp_queue_userspace_packet queue_userspace_packet
kernel-probe kp_ovs_dp_upcall ovs_dp_upcall
kernel-function kr_ovs_dp_upcall ovs_dp_upcall
kernel-probe kp_ovs_packet_cmd_execute ovs_packet_cmd_execute
kernel-function kr_ovs_packet_cmd_execute ovs_packet_cmd_execute

# its commands
kernel-probe kp_ovs_flow_cmd_new ovs_flow_cmd_new
kernel-function kr_ovs_flow_cmd_new ovs_flow_cmd_new
kernel-probe kp_ovs_flow_cmd_set ovs_flow_cmd_set
kernel-probe kp_ovs_flow_cmd_del ovs_flow_cmd_del
kernel-probe kp_ovs_flow_tbl_insert ovs_flow_tbl_insert
kernel-probe kp_ovs_flow_tbl_remove ovs_flow_tbl_remove
kernel-probe kp_ovs_vport_cmd_new ovs_vport_cmd_new
kernel-probe kp_ovs_vport_cmd_del ovs_vport_cmd_del
kernel-function kr_ovs_vport_cmd_new ovs_vport_cmd_new
kernel-function kr_ovs_vport_cmd_del ovs_vport_cmd_del
kernel-probe kp_ovs_vport_cmd_set ovs_vport_cmd_set
kernel-probe kp_ovs_dp_cmd_new ovs_dp_cmd_new
kernel-probe kp_ovs_dp_cmd_set ovs_dp_cmd_set
kernel-probe kp_ovs_dp_cmd_del ovs_dp_cmd_del
