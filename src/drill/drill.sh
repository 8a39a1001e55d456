#!/bin/bash
# A fault on purpose, as one transient unit with its own undo: systemd runs the undo however the unit ends, and
# nothing of it survives a reboot. The unit ends when it is stopped, at its time limit, after LEASE seconds without
# a heartbeat of monctl, or when its guard finds the host unhealthy.
#
# Usage: drill.sh start NAME SECONDS LEASE KIND ARG…
# The unit itself calls `run` and `undo`. Exit codes of `start`: 3 something is not installed, 4 the drill is
# already running, 5 the host is not fit for it.
set -euo pipefail
export LC_ALL=C.UTF-8

action=$1 name=$2
shift 2
home=/run/monctl-drill
own=$home/$name
unit=monctl-drill-$name.service
key=$home/requests.key
# Directories that every Debian has and that are usually empty. One of them is covered for the time of the
# drill; a directory made for it would be left behind by a reboot.
covers=(/mnt /media /var/local /var/opt)

refuse() {
	echo "$2" >&2
	exit "$1"
}

# --- the host's state ------------------------------------------------------------------------------------

meminfo() {
	awk -v name="$1:" '$1 == name { print $2 }' /proc/meminfo
}

# Memory in use, in tenths of a percent.
memory_used() {
	local total
	total=$(meminfo MemTotal)
	echo $(((total - $(meminfo MemAvailable)) * 1000 / total))
}

# The percentage of the last ten seconds in which all tasks stalled on a resource; 0 if the kernel does not report it.
stalled() {
	awk '$1 == "full" { sub("avg10=", "", $2); print int($2); found = 1 } END { if (!found) print 0 }' \
		"/proc/pressure/$1" 2>/dev/null || echo 0
}

# Why the host is not fit for a drill of a kind; nothing if it is. A busy CPU does not count: drills have the lowest
# priority there.
suffering() {
	local each state
	state=$(systemctl is-system-running || true)
	[[ $state != stopping && $state != maintenance ]] || echo "the host is $state"
	for each in memory io; do
		# shellcheck disable=SC2310 # a figure
		(($(stalled "$each") < 50)) || echo "the host is stalled on $each"
	done
	# The memory drill has its own limit.
	# shellcheck disable=SC2310 # a figure
	[[ $1 == memory ]] || (($(memory_used) < 950)) || echo "the host has less than 5% of its memory left"
	[[ $(df --output=avail / | tail -n 1) -gt 102400 ]] || echo "the root file system has less than 100 MB left"
}

installed() {
	command -v "$1" >/dev/null || refuse 3 "$1 is not installed"
}

as_nobody() {
	exec setpriv --reuid=nobody --regid=nogroup --clear-groups --no-new-privs -- "$@"
}

# Without a cache level, stress-ng 0.19 takes as much shared memory as the CPU has of its last cache: hundreds of MB on
# a large server. The memory drill would then use more than it accounts for, and the CPU drill more than its limit.
stress() {
	local niceness=$1
	shift
	as_nobody nice -n "$niceness" stress-ng "$@" --cache-level 1 --temp-path /tmp
}

# --- cpu WORKERS PERCENT NICE: stress-ng ------------------------------------------------------------------

check_cpu() { installed stress-ng; }

begin_cpu() {
	local share=()
	(($2 == 100)) || share=(--cpu-load "$2")
	(stress "$3" --cpu "$1" "${share[@]}" --timeout "${limit}s") &
	worker=$!
}

guard_cpu() { kill -0 "$worker" 2>/dev/null || ended "stress-ng has ended"; }

undo_cpu() { :; }

# --- memory PERCENT: stress-ng, in pieces, so that it can fill and release what other processes leave -------

check_memory() {
	installed stress-ng
	# shellcheck disable=SC2310 # a figure, and none refuses
	(($(memory_used) < $1 * 10)) || refuse 5 "more than $1% of the memory is already in use"
}

pieces=() sizes=() started=0

take() {
	(stress 0 --vm 1 --vm-bytes "$1k" --vm-keep --vm-hang 0 --vm-method write64 --timeout 0) &
	pieces+=($!)
	sizes+=("$1")
}

# Until the memory is really free again, the host seems to use more than it does.
give_back() {
	kill "${pieces[-1]}" 2>/dev/null || true
	wait "${pieces[-1]}" || true
	unset 'pieces[-1]' 'sizes[-1]'
}

# What the pieces still have to allocate, in kB.
unfilled() {
	local wanted=0 size held
	for size in "${sizes[@]}"; do
		((wanted += size)) || true
	done
	held=$(ps -C stress-ng-vm -o rss= | awk '{ sum += $1 } END { print sum + 0 }')
	echo $((held < wanted ? wanted - held : 0))
}

# What is missing up to this many tenths of a percent, in kB.
lacking() {
	local total
	total=$(meminfo MemTotal)
	echo $((total * $1 / 1000 - (total - $(meminfo MemAvailable)) - $(unfilled)))
}

# The fault begins with the last few percent, in small pieces that can be released one by one; the time before that does
# not count.
begin_memory() {
	local hundredth rest
	hundredth=$(($(meminfo MemTotal) / 100))
	rest=$(lacking $(($1 * 10 - 40)))
	((rest <= 0)) || take "$rest"
	# shellcheck disable=SC2310 # a figure
	until (($(unfilled) < hundredth / 4)); do
		sleep 0.1
		leased
		guard_memory "$@"
	done
	rest=$(lacking $(($1 * 10)))
	while ((rest > 0)); do
		take $((rest < hundredth ? rest : hundredth))
		((rest -= hundredth)) || true
	done
	started=1
}

guard_memory() {
	local used
	used=$(memory_used)
	((used < 980)) || ended "less than 2% of the memory is left"
	# shellcheck disable=SC2310 # a figure
	if ((used > $1 * 10 + 10 && ${#pieces[@]} > 0)); then
		give_back
	elif ((started && ${#pieces[@]} < 20 && $(lacking $(($1 * 10 - 5))) > 0)); then
		take $(($(meminfo MemTotal) / 100))
	fi
}

undo_memory() { :; }

# --- disk PERCENT, inodes PERCENT: a small file system of its own, filled ----------------------------------

# An overlay on a tmpfs of 16 MB and 1000 inodes: it has the tmpfs' figures, and needs no disk and no loop device.
check_filesystem() {
	# shellcheck disable=SC2310 # a question
	cover >/dev/null || refuse 5 "none of ${covers[*]} is empty and free of mounts: no place to mount a file system"
	modprobe overlay 2>/dev/null || true
	grep -qw overlay /proc/filesystems || refuse 3 "the kernel has no overlay file system"
}

# The first directory that can be covered without hiding anything.
cover() {
	local folder
	for folder in "${covers[@]}"; do
		[[ -d $folder && ! -L $folder && -z $(ls -A "$folder") ]] || continue
		! grep -q " ${folder}[ /]" /proc/mounts || continue
		echo "$folder" && return
	done
	return 1
}

begin_filesystem() {
	local folder lock
	# Another drill that begins now must not choose the same directory.
	exec {lock}<"$home"
	flock "$lock"
	folder=$(cover)
	echo "$folder" >"$own/cover"
	mkdir "$own/fs"
	mount -t tmpfs -o size=16m,nr_inodes=1000,nosuid,nodev,noexec monctl-drill "$own/fs"
	mkdir "$own/fs/lower" "$own/fs/upper" "$own/fs/work"
	mount -t overlay -o "nosuid,nodev,noexec,lowerdir=$own/fs/lower,upperdir=$own/fs/upper,workdir=$own/fs/work" \
		monctl-drill "$folder"
	exec {lock}<&-
}

undo_filesystem() {
	local folder=
	[[ ! -e $own/cover ]] || folder=$(<"$own/cover")
	[[ -z $folder ]] || ! mountpoint -q "$folder" || umount --lazy "$folder"
	! mountpoint -q "$own/fs" || umount --lazy "$own/fs"
}

check_disk() { check_filesystem; }
begin_disk() {
	begin_filesystem
	head -c $((16 * 1024 * 1024 * $1 / 100)) /dev/zero >"$(<"$own/cover")/filled-by-monctl-drill"
}
guard_disk() { :; }
undo_disk() { undo_filesystem; }

check_inodes() { check_filesystem; }
begin_inodes() {
	begin_filesystem
	(cd "$(<"$own/cover")" && seq -f 'filled-by-monctl-drill-%g' $((1000 * $1 / 100 - 10)) | xargs touch)
}
guard_inodes() { :; }
undo_inodes() { undo_filesystem; }

# --- stop UNIT…: services stopped, started again by the undo ----------------------------------------------

check_stop() {
	local each
	for each; do
		systemctl is-active --quiet "$each" || refuse 5 "$each is not running"
		systemctl is-enabled --quiet "$each" || refuse 5 "$each is not enabled: a reboot would not bring it back"
	done
}
begin_stop() {
	# A service whose socket stays would restart with the next connection; sockets come before their services.
	systemctl stop "$@"
}
guard_stop() { :; }
undo_stop() { systemctl start "$@"; }

# --- failing-unit: a unit made to fail ---------------------------------------------------------------------

check_failing-unit() { :; }
begin_failing-unit() {
	systemd-run --quiet --unit=monctl-drill-victim --description="monctl drill: fails on purpose" false
}
guard_failing-unit() { :; }
undo_failing-unit() {
	systemctl stop monctl-drill-victim.service 2>/dev/null || true
	systemctl reset-failed monctl-drill-victim.service 2>/dev/null || true
	! systemctl is-failed --quiet monctl-drill-victim.service
}

# --- requests PORT STATUS DELAY_MS RATE TOGETHER: real requests that the instrumentation handles -----------

# An application that something else deploys.
counting=/etc/monctl/counting
is_counted() { [[ -r $counting/counting.py ]]; }
counted_unit() { sed -n 's/^Environment=COUNTED_UNIT=//p' /etc/systemd/system/monctl-counting.service; }
# The group whose processes read the key there.
counted_group() {
	local unit user group
	unit=$(counted_unit)
	group=$(systemctl show --property=Group --value -- "$unit")
	user=$(systemctl show --property=User --value -- "$unit")
	if [[ -n $group ]]; then echo "$group"; else id --group --name "${user:-root}"; fi
}

check_requests() {
	# shellcheck disable=SC2310 # a question
	if is_counted; then
		local why
		why=$(/usr/bin/python3 "$counting/counting.py" state) || refuse 5 "whether the application counts requests is unknown"
		[[ $why == counted ]] || refuse 5 "requests are not counted: $why"
		[[ ! -e $key ]] || refuse 5 "another drill sends requests"
		return
	fi
	[[ -r /etc/monctl/app/monctl_metrics/drill.py ]] || refuse 3 "the application lacks monctl's instrumentation"
	systemctl is-active --quiet monctl-app.service || refuse 5 "the application is not running"
	[[ ! -e $key ]] || refuse 5 "another drill sends requests"
}
lay_key() {
	install -m 0640 -g "$1" /dev/null "$key"
	echo "$(head -c 32 /dev/urandom | od -A n -v -t x1 | tr -d ' \n') $(($(date +%s) + limit))" >"$key"
}
begin_requests() {
	local group
	# shellcheck disable=SC2310 # a question
	if is_counted; then
		group=$(counted_group)
		lay_key "$group"
		(exec setpriv --reuid=monctl-watch --regid="$group" --clear-groups --no-new-privs -- \
			env PYTHONPATH="$counting/library" PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m monctl_metrics.drill "$@") &
		worker=$!
		return
	fi
	lay_key monctl-app
	(exec setpriv --reuid=monctl-app --regid=monctl-app --clear-groups --no-new-privs -- \
		env PYTHONPATH=/etc/monctl/app PYTHONDONTWRITEBYTECODE=1 /opt/monctl/app/bin/python -m monctl_metrics.drill "$@") &
	worker=$!
}
guard_requests() { kill -0 "$worker" 2>/dev/null || ended "the requests have ended"; }
undo_requests() { rm -f "$key"; }

# --- replaced-workers PORT WORKERS MILLISECONDS: workers stopped gracefully, one at a time -----------------

# Workers that have loaded the application, as they report themselves.
workers_there() {
	curl --silent --max-time 2 "localhost:$1/metrics" |
		awk '$1 == "monctl_workers" { print int($2); found = 1 } END { if (!found) print 0 }'
}
check_replaced-workers() {
	[[ -r /etc/monctl/app/monctl_metrics/presence.py ]] || refuse 3 "the application lacks monctl's instrumentation"
	systemctl is-active --quiet monctl-app.service || refuse 5 "the application is not running"
	# shellcheck disable=SC2310 # a figure, and none refuses
	(($(workers_there "$1") >= $2)) || refuse 5 "fewer than $2 workers of the application are running"
}
begin_replaced-workers() {
	worker_to_end='' due=0
	guard_replaced-workers "$@"
}
guard_replaced-workers() {
	local now master
	now=$((${EPOCHREALTIME/[.,]/} / 1000))
	((now >= due)) || return 0
	# The last one may still be finishing its requests.
	[[ -z $worker_to_end || ! -e /proc/$worker_to_end ]] || return 0
	# shellcheck disable=SC2310 # a figure, and none waits
	(($(workers_there "$1") >= $2)) || return 0
	master=$(systemctl show --property=MainPID --value monctl-app.service)
	((master > 0)) || ended "the application is not running"
	worker_to_end=$(pgrep --oldest --parent "$master") || return 0
	kill -TERM "$worker_to_end"
	# If one is late, the interval to the next one stays the same.
	due=$(((due == 0 || now > due + $3 ? now : due) + $3))
}
undo_replaced-workers() { :; }

# --- traffic PORT RATE: a visitor's requests, and a few that the instrumentation handles --------------------

# In Python, whose text has no `$`: systemd would expand variables in it. The environment may name folders of modules.
TRAFFIC='import runpy, sys
sys.path.insert(0, "/etc/monctl/app")
runpy.run_module("monctl_metrics.traffic", run_name="__main__", alter_sys=True)'

check_traffic() { check_requests; }
begin_traffic() {
	local folder
	folder=$(sed -n 's/^WorkingDirectory=//p' /etc/systemd/system/monctl-app.service)
	[[ -n $folder ]] || refuse 5 "the application's unit names no folder"
	lay_key monctl-app
	# With the application's own settings, which define its pages and its host name.
	exec {output}< <(exec systemd-run --quiet --pipe --wait --collect --uid=monctl-app --gid=monctl-app -p RuntimeMaxSec="$limit" \
		-p EnvironmentFile=/etc/monctl/app/settings -p EnvironmentFile=/etc/monctl/app/environment \
		-p EnvironmentFile=-/var/lib/monctl/services/environment \
		-p BindReadOnlyPaths=/srv/monctl/current:/srv/monctl/app -p WorkingDirectory="$folder" \
		--setenv=PYTHONDONTWRITEBYTECODE=1 \
		/opt/monctl/app/bin/python -c "$TRAFFIC" "$@")
	worker=$!
	read -r -u "$output" || ended "no request was sent"
}
guard_traffic() { guard_requests; }
undo_traffic() { undo_requests; }

# --- run N M WORD…: a command of N words, one of M words that undoes it, and one that checks that it is undone ----

check_run() {
	local place
	for place in 3 $(($1 + 3)) $(($1 + $2 + 3)); do
		((place <= $#)) || continue
		command -v -- "${!place}" >/dev/null || refuse 3 "${!place} is not installed"
	done
}
begin_run() { "${@:3:$1}"; }
guard_run() { :; }
undo_run() {
	"${@:$1+3:$2}"
	(($# == $1 + $2 + 2)) || "${@:$1+$2+3}" || {
		echo "the fault is still there: ${*:$1+$2+3}" >&2
		return 1
	}
}

# --- the unit ----------------------------------------------------------------------------------------------

ended() {
	echo "the drill ends: $1"
	exit 0
}

# Ends the drill after too long without a heartbeat of monctl.
leased() {
	(($(date +%s) - $(stat -c %Y "$own/lease") <= lease)) || ended "no heartbeat of monctl for $lease s"
}

# start SECONDS LEASE KIND ARG…
start() {
	local seconds=$1 kind=$3 limits=() why
	! systemctl is-active --quiet "$unit" || refuse 4 "the drill is already running"
	# Nothing has been done yet: once the unit has started, it undoes what it did.
	trap 'systemctl is-active --quiet "$unit" || forget' EXIT
	why=$(suffering "$kind")
	[[ -z $why ]] || refuse 5 "${why//$'\n'/, and }"
	"check_$kind" "${@:4}"
	case $kind in
	cpu) limits=(-p MemoryMax=256M -p PrivateTmp=yes -p OOMPolicy=stop) ;;
	# If memory runs short, the OOM killer chooses this unit.
	memory) limits=(-p OOMScoreAdjust=1000 -p PrivateTmp=yes -p OOMPolicy=stop -p CPUWeight=10) ;;
	esac
	touch "$own/lease"
	rm -f "$own/undo-failed"
	systemctl reset-failed "$unit" 2>/dev/null || true
	# Its own limit comes first; systemd's is the fallback.
	systemd-run --quiet --collect --unit="$unit" --description="monctl drill: $kind" \
		-p Type=notify -p NotifyAccess=all -p RuntimeMaxSec="$((seconds + 5))" -p TimeoutStartSec=120 \
		-p TimeoutStopSec=30 -p KillSignal=SIGKILL -p SendSIGHUP=no -p TasksMax=4096 "${limits[@]}" \
		-p ExecStopPost="/bin/bash $own/drill.sh undo $name ${*:3}" \
		/bin/bash "$own/drill.sh" run "$name" "$@" || {
		journalctl --unit="$unit" --lines=3 --output=cat --no-pager >&2 || true
		exit 1
	}
}

# run SECONDS LEASE KIND ARG…
run() {
	local kind=$3 end why
	limit=$1 lease=$2
	shift 3
	"begin_$kind" "$@"
	systemd-notify --ready
	end=$((SECONDS + limit))
	while ((SECONDS < end)); do
		sleep 0.5
		leased
		why=$(suffering "$kind")
		[[ -z $why ]] || ended "${why//$'\n'/, and }"
		"guard_$kind" "$@"
	done
	ended "its time limit is reached"
}

# undo KIND ARG…
# Called in a condition, bash would report only the status of its last line.
undo() {
	local status printed=$own/undo-output
	set +e
	# The undo runs in any case.
	true >"$printed" || printed=/dev/null
	(
		set -e
		"undo_$1" "${@:2}"
	) >"$printed" 2>&1
	status=$?
	set -e
	cat "$printed" >&2
	if ((status == 0)); then forget; else
		echo "the undo failed" >&2
		cat "$printed" >"$own/undo-failed" || touch "$own/undo-failed"
	fi
}

forget() {
	rm -rf "$own"
	rmdir "$home" 2>/dev/null || true
}

case $action in
start | run | undo) "$action" "$@" ;;
*) exit 64 ;;
esac
