#!/bin/sh
# SPDX-License-Identifier: MIT
# instrumentation/openvswitch as far as no kernel is needed: profiles, the
# manual, the sources for DKMS, scripts.  tests/guest has the rest.
set -u
top=${top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
src=$top/instrumentation/openvswitch
readme=$src/README.md
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
. "$top/tests/lib/tap.sh"

# in_readme: of the words that come in, those that the manual doesn't have.
in_readme() {
	while read -r word; do
		grep -qw -e "$word" "$readme" || echo "$word"
	done
}

check "kprobes.profile: every line is a probe by the name of its function" "$(
	sed 's/#.*//; /^[[:space:]]*$/d' "$src/kprobes.profile" | awk '
	NF != 3 || $3 !~ /^[A-Za-z_][A-Za-z0-9_.]*$/ { print "malformed: " $0; next }
	$1 == "kernel-probe" && $2 == "kp_" $3 { next }
	$1 == "kernel-function" && $2 == "kr_" $3 { next }
	{ print "wrong: " $0 }')"
check "kprobes.profile: no event twice" "$(
	sed 's/#.*//; /^[[:space:]]*$/d' "$src/kprobes.profile" | awk '{ print $2 }' | sort | uniq -d)"
check "the analyzer reads no kprobe that the profile does not make" "$(
	grep -o '"k[pr]_[a-z_]*"' "$top/analyzers/ovs.c" | tr -d '"' | sed '/^kr_/s/_\(entry\|exit\)$//' |
	sort -u | while read -r name; do
		grep -q "^kernel-[a-z]* $name " "$src/kprobes.profile" || echo "$name"
	done)"
check "vswitchd-usdt.profile: every line is a probe" "$(
	sed 's/#.*//; /^[[:space:]]*$/d' "$src/vswitchd-usdt.profile" |
	grep -vE '^kernel-sdt usdt_[a-z_]+ [a-z_]+:[a-z_]+$')"
if [ -x "${top_builddir:-.}/cloudtrace-session" ]; then
	"${top_builddir:-.}/cloudtrace-session" network --relayd=net://localhost --kernel=yes \
		--events="$src/kprobes.profile" --dry-run > "$tmp/plan" 2>&1
	check "cloudtrace-session takes kprobes.profile" "$(
		sed 's/#.*//; /^[[:space:]]*$/d' "$src/kprobes.profile" | while read -r kind name symbol; do
			grep -qE -e "--(probe|function)=$symbol .* $name\$" "$tmp/plan" || echo "$kind $name"
		done)"
fi

events=$(sed -n 's/^LTTNG_TRACEPOINT_EVENT(\([a-z_]*\),.*/\1/p
	s/^LTTNG_TRACEPOINT_EVENT_INSTANCE([a-z_]*, \([a-z_]*\),.*/\1/p' "$src"/events/*.h)
check "there are 13 events" "$([ "$(echo "$events" | wc -l)" -eq 13 ] || echo "$events")"
check "the analyzer reads events that the module has" "$(
	grep -o 'MODULE(X, "[a-z_]*"' "$top/analyzers/ovs.c" | sed 's/.*"\(.*\)"/\1/' |
	while read -r name; do
		echo "$events" | grep -qx "$name" || echo "$name"
	done)"
check "the manual has all events" "$(echo "$events" | in_readme)"
check "LTTng's rule: names of events begin with their provider's, which is unique" "$(
	for file in "$src"/events/*.h; do
		provider=$(sed -n 's/^#define TRACE_SYSTEM //p' "$file")
		sed -n 's/^LTTNG_TRACEPOINT_EVENT(\([a-z_]*\),.*/\1/p
			s/^LTTNG_TRACEPOINT_EVENT_INSTANCE([a-z_]*, \([a-z_]*\),.*/\1/p' "$file" |
			grep -v "^${provider}_"
	done
	sed -n 's/^#define TRACE_SYSTEM //p' "$src"/events/*.h | sort | uniq -d)"
check "the manual has all fields" "$(
	sed -n 's/^\t\tctf_[a-z_]*([^,]*, \([a-z0-9_]*\),.*/\1/p; s/^\t\tctf_string(\([a-z_]*\),.*/\1/p' \
		"$src"/events/*.h | sort -u | in_readme)"
check "the manual has all hooks" "$(
	sed -n 's/.*RETURN_PROBE("\([a-z_]*\)".*/\1/p; s/.*symbol_name = "\([a-z_]*\)".*/\1/p' \
		"$src/hooks.c" | in_readme)"
check "the manual has all parameters and counters" "$(
	{ sed -n 's/^module_param[a-z_]*(\([a-z_]*\),.*/\1/p' "$src/hooks.c"
	sed -n 's/^\tX(\([a-z]*\)).*/n_\1/p' "$src/counters.h"; } | in_readme)"

check "DKMS builds what Kbuild makes" "$(
	sed -n 's/^obj-m := //p' "$src/Kbuild" | tr ' ' '\n' | sed 's/\.o$//' | sort > "$tmp/kbuild"
	sed -n 's/^BUILT_MODULE_NAME\[.*\]="\(.*\)"$/\1/p' "$src/dkms.conf" | sort > "$tmp/dkms"
	diff "$tmp/kbuild" "$tmp/dkms")"
env -u MAKEFLAGS -u MAKELEVEL make -s -C "$src" DESTDIR="$tmp" VERSION=7 dkms-source > "$tmp/make" 2>&1
to=$tmp/usr/src/cloudtrace-openvswitch-7
check "sources for DKMS are complete" "$(
	cat "$tmp/make"
	grep -q '^PACKAGE_VERSION="7"$' "$to/dkms.conf" || echo version
	for file in "$src"/*.[ch] "$src"/events/*.h "$src/lttng-symvers" "$src/check-layout"; do
		[ -e "$to/${file#"$src"/}" ] || echo "${file#"$src"/}"
	done)"
check "modules are under the kernel's licence" "$(
	for file in "$src"/*.[ch] "$src"/events/*.h "$src/Kbuild"; do
		head -n 1 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-only' || echo "$file"
	done)"
check "lines of at most 100 columns" "$(
	for file in "$src"/*.[ch] "$src"/events/*.h; do
		expand "$file" | awk -v f="$file" 'length($0) > 100 { print f ":" NR }'
	done)"

check "scripts are sound" "$(
	for script in "$src/lttng-symvers" "$src/check-layout" "$top"/tests/guest/*.sh \
		"$top/tests/guest/guest-init"; do
		sh -n "$script" 2>&1
	done
	python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$top/tests/guest/run.py" 2>&1)"

# A kernel's BTF as bpftool prints it, right and wrong.
mkdir -p "$tmp/bin"
cat > "$tmp/bin/bpftool" <<'END'
#!/bin/sh
cat "$BTF_TEXT"
END
chmod +x "$tmp/bin/bpftool"
awk -F '[(,) ]+' '/^OVS_AT\(/ {
	if ($2 != last) printf "[%d] STRUCT \047%s\047 size=1 vlen=1\n", NR, $2
	last = $2
	printf "\t\047%s\047 type_id=1 bits_offset=%d\n", $3, $4 * 8
}' "$src/ovs-layout.h" > "$tmp/right"
sed "s/'port_no' type_id=1 bits_offset=.*/'port_no' type_id=1 bits_offset=256/" "$tmp/right" > "$tmp/wrong"
layout() {
	BTF_TEXT=$1 BTF=$1 PATH=$tmp/bin:$PATH sh "$src/check-layout" > "$tmp/out" 2>&1
}
check "check-layout knows the right layout" "$(layout "$tmp/right" || cat "$tmp/out")"
check "check-layout knows a wrong one" "$(
	layout "$tmp/wrong" && echo "it passed"
	grep -q '^differs: vport port_no: declared at 24, is at 32$' "$tmp/out" || cat "$tmp/out")"
echo "1..$n"
