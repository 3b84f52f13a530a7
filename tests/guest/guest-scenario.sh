#!/bin/sh
# SPDX-License-Identifier: MIT
# What run.sh does inside the guest.  Each check writes one line, "ok WHAT" or
# "not ok WHAT", to /out/checks; a scenario that got to its end, "end".
# Ports of the relayd outside: GUEST_control, GUEST_data.
set -u
relayd=net://10.0.2.2:$GUEST_control:$GUEST_data
roles="compute network storage controller"

check() {
	what=$1
	shift
	if "$@" >&2; then echo "ok $what"; else echo "not ok $what"; fi >> /out/checks
}

tell() {
	echo "== $(cut -d ' ' -f 1 /proc/uptime) $*"
}

counters() {
	for file in /sys/module/lttng_ovs_addon/parameters/*; do
		echo "${file##*/} $(cat "$file")"
	done
}

is_loaded() {
	grep -q "^$1 " /proc/modules
}

# ---- two bridges in series: namespace left, br0, veth, br1, namespace right ----

port() { # port NAMESPACE BRIDGE ADDRESS
	ip netns add "$1"
	ip link add "to-$1" type veth peer name eth0 netns "$1"
	ip -n "$1" link set lo up
	ip -n "$1" addr add "$3" dev eth0
	ip -n "$1" link set eth0 up
	ip link set "to-$1" up
	ovs-vsctl add-port "$2" "to-$1"
}

bridges() {
	modprobe openvswitch
	mkdir -p /run/openvswitch /etc/openvswitch /var/log/openvswitch
	/usr/share/openvswitch/scripts/ovs-ctl --system-id="$(hostname)" --no-monitor start
	ovs-vsctl add-br br0
	ovs-vsctl add-br br1
	port left br0 10.1.0.1/24
	port right br1 10.1.0.2/24
	ip link add x0 type veth peer name x1
	ip link set x0 up
	ip link set x1 up
	ovs-vsctl add-port br0 x0
	ovs-vsctl add-port br1 x1
	# ovs-vswitchd takes a while until it forwards.
	for attempt in $(seq 60); do
		ip netns exec left ping -c 1 -W 1 10.1.0.2 && return 0
	done
	tell "no packet crosses the bridges after $attempt pings"
	return 1
}

ping_across() { # ping_across COUNT
	ip netns exec left ping -q -c "$1" -i 0.2 -W 5 10.1.0.2
}

flood() { # flood OPTIONS OF IPERF3...
	ip netns exec right iperf3 -s -1 -D -I /tmp/iperf3.pid
	sleep 1
	ip netns exec left iperf3 -c 10.1.0.2 "$@"
}

# ---- sessions ----

# session NAME: to the relayd outside, live.
session() {
	lttng create "$1" --live=1000000 --set-url="$relayd"
	lttng enable-channel -k -s "$1" all --subbuf-size=512k --num-subbuf=8
}

# enable NAME FILE: what a list of events asks for, one line each into
# /out/enabled.NAME.
enable() {
	while read -r kind name symbol; do
		case $kind in
		kernel)
			case $name in
			syscall_entry_*) set -- "$1" "$2" --syscall "${name#syscall_entry_}" ;;
			syscall_exit_*) continue ;;
			*) set -- "$1" "$2" "$name" ;;
			esac ;;
		kernel-probe) set -- "$1" "$2" "--probe=$symbol" "$name" ;;
		kernel-function) set -- "$1" "$2" "--function=$symbol" "$name" ;;
		*) continue ;;
		esac
		session=$1 list=$2
		shift 2
		if lttng enable-event -k -s "$session" -c all "$@" >/tmp/enable 2>&1; then
			echo "ok $name"
		else
			echo "not ok $name: $(tail -n 1 /tmp/enable)"
		fi
		set -- "$session" "$list"
	done < "$2" > "/out/enabled.$1"
	! grep '^not ok' "/out/enabled.$1"
}

contexts() {
	lttng add-context -k -s "$1" -c all -t pid -t tid -t procname
}

# ---- the parts ----

part_module() {
	check "check-layout: this kernel's Open vSwitch is as declared" sh /share/check-layout
	# modprobe takes -EEXIST of a module's init for success.
	modprobe lttng-ovs-addon
	check "lttng-ovs-addon loads" is_loaded lttng_ovs_addon
	modprobe lttng-probe-openvswitch
	check "lttng-probe-openvswitch loads" is_loaded lttng_probe_openvswitch
	lttng list -k > /out/tracepoints
	tell "$(dmesg | grep -c 'lttng_ovs_addon: no k') hooks failed"
	check "all hooks are on" grep -qx '13 of 13' /sys/module/lttng_ovs_addon/parameters/hooks
	check "LTTng lists the 13 events" test "$(grep -cE '^ +ovs_' /out/tracepoints)" -eq 13
	ping_across 5
	check "nothing is touched while nobody records" \
		grep -qx 0 /sys/module/lttng_ovs_addon/parameters/n_received

	session addon
	for event in 'ovs_*' 'lttng_statedump_*' sched_switch net_dev_queue net_if_receive_skb; do
		lttng enable-event -k -s addon -c all "$event"
	done
	contexts addon
	sleep 3 # the daemon outside attaches
	lttng start addon
	ovs-appctl revalidator/purge
	check "pings cross both bridges, traced" ping_across 15
	check "TCP crosses, traced" flood -n 600000
	check "UDP crosses, traced" flood -u -b 400k -l 500 -t 3
	for side in left right; do
		ip netns exec $side ethtool -K eth0 tso off gso off gro off sg off
	done
	check "TCP without offloads crosses, traced" flood -n 300000
	counters | tee /out/counters
	rmmod lttng_ovs_addon
	check "a recording session keeps the module" is_loaded lttng_ovs_addon
	lttng stop addon
	lttng destroy addon
	check "lttng-ovs-addon unloads" rmmod lttng_ovs_addon
	check "lttng-probe-openvswitch unloads" rmmod lttng_probe_openvswitch
}

# Does a thing again and again while packets pass.
under_packets() { # under_packets WHAT FUNCTION
	ip netns exec left ping -q -i 0.002 10.1.0.2 > /out/ping-flood &
	ping=$!
	rounds=0
	while [ $rounds -lt "${GUEST_rounds:-10}" ] && "$2"; do
		rounds=$((rounds + 1))
		tell "round $rounds"
	done
	kill -INT $ping
	wait $ping
	check "$1 $rounds times under packets" test $rounds -eq "${GUEST_rounds:-10}"
	check "the kernel has nothing to complain of" \
		sh -c "! dmesg | grep -E 'BUG|Oops|WARNING|Call Trace|rcu.*stall'"
}

reload() {
	modprobe lttng-ovs-addon || return
	lttng create reload --output=/tmp/reload >/dev/null
	lttng enable-event -k -s reload 'ovs_*' >/dev/null
	lttng start reload >/dev/null
	sleep 1
	recorded=$(cat /sys/module/lttng_ovs_addon/parameters/n_received)
	lttng destroy reload >/dev/null
	rm -rf /tmp/reload
	rmmod lttng_ovs_addon && [ "$recorded" -gt 0 ]
}

part_unload() {
	under_packets "loaded, recorded and unloaded" reload
}

# The same with LTTng's own kprobes, without our module.
reprobe() {
	lttng create reprobe --output=/tmp/reprobe >/dev/null
	enable reprobe /share/kprobes.profile
	lttng start reprobe >/dev/null
	sleep 1
	lttng destroy reprobe >/dev/null
	rm -rf /tmp/reprobe
}

part_reprobe() {
	under_packets "kprobes set and removed" reprobe
}

# record NAME ROLE FILE: starts to record a list of events, by cloudtrace-session
# where it has been built.
record() {
	if [ -x /share/cloudtrace-session ]; then
		check "$1: cloudtrace-session starts the kernel's events" \
			/share/cloudtrace-session "$2" --relayd="$relayd" --kernel=yes \
			--session="$1" --events="$3" --once
		/share/cloudtrace-session "$2" --session="$1" --events="$3" --status -o json \
			> "/out/status.$1"
		/share/cloudtrace-session "$2" --relayd="$relayd" --kernel=yes --session="$1" \
			--events="$3" --dry-run > "/out/again.$1"
		# A function that doesn't exist is tried again.
		check "$1: a second time there is nothing to do" \
			sh -c "! grep -v no_such_function /out/again.$1 | grep '^lttng'"
	else
		session "$1"
		check "$1: all its kernel events start" enable "$1" "$3"
		contexts "$1"
		lttng start "$1"
	fi
}

finish() {
	lttng list "$1" > "/out/list.$1"
	lttng stop "$1"
	lttng destroy "$1"
}

# A role's list: what cloudtraced prints, and the kernel events beside it.  With
# cloudtrace-node, whose events the daemon outside reads.
part_roles() {
	modprobe -a lttng-ovs-addon lttng-probe-openvswitch
	if [ -x /share/cloudtrace-node ]; then
		/share/cloudtrace-node > /out/node.log 2>&1 &
		node=$!
	fi
	for role in $roles; do
		record "role-$role" "$role" "/share/events.$role"
		ping_across 5
		head -c 100000 /share/cloudtrace-session > /var/tmp/written
		sync
		sleep 2 # cloudtrace-node tells all within a second, LTTng sends each second
		finish "role-$role"
	done
	[ ! -x /share/cloudtrace-node ] || kill $node
	rmmod lttng_ovs_addon lttng_probe_openvswitch
}

# Every form of a line, and what this kernel can't give; then a changed list.
part_lists() {
	[ -x /share/cloudtrace-session ] || return 0
	printf '%s\n' 'kernel sched_switch' 'kernel lttng_statedump_*' 'kernel syscall_entry_openat' \
		'kernel syscall_exit_openat' 'kernel kvm_mmio' 'kernel no_such_tracepoint' \
		'kernel-probe kp_do_output do_output' 'kernel-probe kp_nowhere no_such_function' \
		'kernel-function kr_ovs_dp_upcall ovs_dp_upcall' > /tmp/list
	record lists network /tmp/list
	ovs-appctl revalidator/purge
	ping_across 5
	session_lists="/share/cloudtrace-session network --relayd=$relayd --kernel=yes --session=lists
		--events=/tmp/list"
	sed -i '/kp_do_output/d' /tmp/list
	check "lists: one probe less doesn't cost the session" \
		sh -c "$(echo $session_lists) --once 2>&1 | grep 'events changed'"
	sed -i 's/ ovs_dp_upcall$/ ovs_vport_send/' /tmp/list
	check "lists: a probe on another function does" \
		sh -c "$(echo $session_lists) --once 2>&1 | grep 'made anew, as a probe is on another function'"
	$session_lists --statedump-interval=1s > /out/watch.lists 2>&1 &
	watch=$!
	sleep 12
	kill $watch
	wait $watch
	check "lists: what can't be had is tried again without a word" \
		test "$(grep -c 'events changed' /out/watch.lists)" -eq 0
	finish lists
}

# Without the module: plain kprobes.
part_kprobes() {
	record kprobes network /share/kprobes.profile
	ovs-appctl revalidator/purge
	check "pings cross both bridges, with kprobes" ping_across 10
	finish kprobes
}

# A mirror that shortens its copies: the copy shares the packet's buffer, and
# where the copy ends there is the packet's data.
part_clones() {
	modprobe lttng-ovs-addon
	lttng create clones --output=/tmp/clones
	lttng enable-event -k -s clones 'ovs_*'
	lttng start clones
	ovs-ofctl add-flow br0 "in_port=to-left,icmp,actions=output(port=x0,max_len=100),normal"
	ip netns exec left ping -c 20 -i 0.2 -s 1000 -p a5c3 10.1.0.2 | tee /out/ping-clones
	ovs-ofctl del-flows br0 in_port=to-left
	check "beside shortened copies, packets arrive as they were sent" \
		sh -c "grep '20 received' /out/ping-clones && ! grep 'wrong data' /out/ping-clones"
	counters | tee /out/counters-clones
	check "no tag goes where a buffer is shared" \
		test "$(cat /sys/module/lttng_ovs_addon/parameters/n_shared)" -ge 20
	lttng destroy clones
	rmmod lttng_ovs_addon
}

# What a round trip over both bridges, four crossings, takes longer.
flood_time() {
	ip netns exec left ping -q -f -c 2000 10.1.0.2 |
		sed -n "s/^2000 packets .* time \(.*\)ms$/$1 \1/p" | tee -a /out/cost
}

recorded_flood() { # recorded_flood LABEL COMMAND...
	label=$1
	shift
	lttng create cost --output=/tmp/cost
	lttng enable-channel -k -s cost all --subbuf-size=1M --num-subbuf=8
	"$@"
	lttng start cost
	flood_time "$label"
	lttng destroy cost
	rm -rf /tmp/cost
}

# What the kernel events of each role cost three loads, without and with them by
# turns: ROLE LOAD without|with OPERATIONS-A-SECOND CPU-US into /out/loads.
loads() { # loads ROLE HOW
	seconds=0.5
	echo "$1 ping-pong $2 $(/share/load ping-pong $seconds)"
	echo "$1 disk $2 $(/share/load disk $seconds /var/tmp/disk)"
	echo "$1 log $2 $(echo "file $seconds" | python3 -B /share/service.py /var/tmp/log | tail -n 1)"
}

cost_of_role() { # cost_of_role ROLE
	grep '^kernel' "/share/events.$1" > /tmp/list
	for round in 1 2 3; do
		tell "$1, round $round"
		loads "$1" without >> /out/loads
		/share/cloudtrace-session "$1" --relayd="$relayd" --kernel=yes --session=cost \
			--events=/tmp/list --once || return
		loads "$1" with >> /out/loads
		/share/cloudtrace-session "$1" --session=cost --events=/tmp/list --status \
			> "/out/status.cost-$1"
		/share/cloudtrace-session "$1" --session=cost --stop
	done
}

part_cost() {
	if [ -x /share/load ] && [ -x /share/cloudtrace-session ]; then
		for role in $roles; do
			cost_of_role "$role"
		done
	fi
	for round in 1 2 3; do
		tell "round $round"
		flood_time nothing
		recorded_flood kprobes.profile enable cost /share/kprobes.profile
		modprobe lttng-ovs-addon
		flood_time module-idle
		recorded_flood module-recorded lttng enable-event -k -s cost -c all 'ovs_*'
		rmmod lttng_ovs_addon
	done
}

part_usdt() {
	readelf -n /usr/sbin/ovs-vswitchd > /tmp/notes 2>/dev/null
	tell "$(grep -c stapsdt /tmp/notes) USDT probes in $(ovs-vswitchd --version | head -n 1)"
}

mkdir -p /out
lttng-sessiond -d
bridges || exit 1
for part in $(echo "${GUEST_parts:-module,unload,roles,lists,kprobes,clones,usdt}" | tr , " "); do
	tell "part $part"
	"part_$part"
done
lttng list > /out/sessions
echo end >> /out/checks
