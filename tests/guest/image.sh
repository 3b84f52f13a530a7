#!/bin/sh
# SPDX-License-Identifier: MIT
# image.sh WORK -- makes the guest of run.sh in the folder WORK: a Debian 12
# with its own kernel, lttng-modules and Open vSwitch.  What WORK has already
# is not made again, so that an interrupted run goes on.  Needs root; no mount
# but proc, no loop device.
set -eu

work=$(realpath -m "${1:?usage: image.sh WORK}")
here=$(dirname "$(realpath "$0")")
root=$work/root
suite=bookworm

# The mirrors that this machine uses, unless told.
site() {
	apt-get indextargets --format '$(SITE) $(RELEASE)' |
		awk -v release="$1" '$2 == release { print $1; exit }'
}
mirror=${MIRROR:-$(site $suite)}
security=${SECURITY_MIRROR:-$(site $suite-security)}
: "${mirror:?apt has no mirror of $suite here: set MIRROR}"
: "${security:?apt has no mirror of $suite-security here: set SECURITY_MIRROR}"

say() {
	echo "image: $(date +%T) $*"
}

# A TMPDIR of this machine's isn't there in the guest.
in_root() {
	TMPDIR=/tmp DEBIAN_FRONTEND=noninteractive LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		chroot "$root" "$@"
}

# Does a step once: step NAME COMMAND...
step() {
	name=$1
	shift
	[ -e "$work/done.$name" ] && return
	say "$name"
	"$@"
	touch "$work/done.$name"
}

bootstrap() {
	rm -rf "$root"
	debootstrap --variant=minbase --include=udev,kmod,iproute2,initramfs-tools,zstd \
		$suite "$root" "$mirror"
}

configure() {
	cat > "$root/etc/apt/sources.list" <<-END
		deb $mirror $suite main
		deb $security $suite-security main
	END
	printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	echo 'APT::Install-Recommends "false";' > "$root/etc/apt/apt.conf.d/90guest"
	echo force-unsafe-io > "$root/etc/dpkg/dpkg.cfg.d/guest"
	# A small initramfs: what it takes to mount the disk of QEMU.
	echo MODULES=list > "$root/etc/initramfs-tools/conf.d/guest"
	printf '%s\n' virtio_pci virtio_blk ext4 crc32c_generic > "$root/etc/initramfs-tools/modules"
	in_root apt-get -q update
}

packages() {
	in_root apt-get -q install -y linux-image-amd64 linux-headers-amd64 dkms gcc make \
		lttng-tools liblttng-ust1 liblttng-ust-python-agent1 python3 openvswitch-switch \
		iputils-ping iperf3 ethtool procps binutils bpftool libjansson4
}

# lttng-modules 2.13.9 doesn't build on Debian's kernels from 6.1.176 on: the
# tracepoint hrtimer_start has got a third argument.
fix_lttng_modules() {
	timer=$(echo "$root"/usr/src/lttng-modules-*/include/instrumentation/events/timer.h)
	headers=$(echo "$root"/usr/src/linux-headers-*-common/include/trace/events/timer.h)

	grep -q was_armed "$headers" || return 0
	grep -q was_armed "$timer" && return 0
	sed -i '/TP_PROTO(struct hrtimer \*hrtimer, enum hrtimer_mode mode),/,/TP_ARGS/ {
		s/mode),/mode, bool was_armed),/
		s/TP_ARGS(hrtimer, mode, bool was_armed)/TP_ARGS(hrtimer, mode, was_armed)/
	}' "$timer"
	if ! grep -q 'TP_ARGS(hrtimer, mode, was_armed)' "$timer"; then
		say "don't know how to mend $timer for this kernel"
		return 1
	fi
}

lttng_modules() {
	in_root sh -c 'cd /var/cache/apt/archives && apt-get -q download lttng-modules-dkms &&
		dpkg --unpack lttng-modules-dkms_*.deb'
	fix_lttng_modules
	in_root dpkg --configure -a
	in_root apt-get -q install -f -y
}

# Our module by its own DKMS packaging, as on a node.
module() {
	make -s -C "$here/../../instrumentation/openvswitch" DESTDIR="$root" VERSION=0 dkms-source
	in_root dkms remove cloudtrace-openvswitch/0 --all >/dev/null 2>&1 || true
	in_root dkms install cloudtrace-openvswitch/0 -k "$kernel"
	in_root dkms status
}

image() {
	install -m 755 "$here/guest-init" "$root/sbin/guest-init"
	mkdir -p "$root/share" "$root/out"
	cp "$root/boot/vmlinuz-$kernel" "$work/vmlinuz"
	cp "$root/boot/initrd.img-$kernel" "$work/initrd.img"
	rm -f "$root"/var/cache/apt/archives/*.deb "$work/root.img"
	mke2fs -q -t ext4 -O ^has_journal -d "$root" -E lazy_itable_init=1 "$work/root.img.part" 5G
	mv "$work/root.img.part" "$work/root.img"
}

mkdir -p "$work"
step bootstrap bootstrap
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
trap 'umount "$root/proc"' EXIT
step configure configure
step packages packages
kernel=$(basename "$(ls -d "$root"/lib/modules/*-amd64 | sort -V | tail -n 1)")
step lttng-modules lttng_modules
step module module
umount "$root/proc"
trap - EXIT
step image image
say "kernel $kernel, $(du -h "$work/root.img" | cut -f 1) in $work"
