#!/bin/sh
#
# Starts one container of a topology on a Nomad node (driver raw_exec) or in an
# image (driver docker): makes a fresh working directory, puts heron-core and
# the topology's package into it, and becomes the executor.
#
# The arguments are the executor and its own arguments. Without arguments the
# command in HERON_EXECUTOR_CMD is run, as jobs of the original client expect.
#
# The node or image needs sh, tar with gzip, and one of sha256sum, shasum,
# openssl.
#
# Variables, set by the job:
#   HERON_NOMAD_WORKING_DIR        this container's directory; it is emptied,
#                                  but for the logs of the run before
#   HERON_USE_CORE_PACKAGE_URI     true: core is a package; false: a directory
#   HERON_CORE_PACKAGE_DIR         the directory, already on the node or in the
#                                  image; may be relative to where the script
#                                  is started
#   HERON_CORE_PACKAGE_URI         where the package comes from
#   HERON_CORE_PACKAGE_FILE        where it lies on this node now
#   HERON_CORE_PACKAGE_SHA256      its digest; not checked if not set
#   HERON_TOPOLOGY_PACKAGE_URI     the same three for the topology's package
#   HERON_TOPOLOGY_PACKAGE_FILE
#   HERON_TOPOLOGY_PACKAGE_SHA256
#   HERON_TOPOLOGY_DOWNLOAD_CMD    fetches the package where there is no FILE
#   METRICS_PORT_FILE              where a metrics sink looks for its port
#   NOMAD_PORT_metrics_port        that port
#
# A literal $JAVA_HOME in an argument is the node's JAVA_HOME, else where its
# java is.

set -eu

# The first process of an image takes no notice of signals that it did not
# ask for.
[ $$ -ne 1 ] || trap 'exit 143' TERM INT

fail() {
	printf 'heron_nomad.sh: %s\n' "$*" >&2
	exit 1
}

# sha256_of sets digest to that of the file $1.
sha256_of() {
	if command -v sha256sum >/dev/null; then
		digest=$(sha256sum <"$1") || fail "could not read $1"
	elif command -v shasum >/dev/null; then
		digest=$(shasum -a 256 <"$1") || fail "could not read $1"
	elif command -v openssl >/dev/null; then
		digest=$(openssl dgst -sha256 <"$1") || fail "could not read $1"
		digest=${digest##* }
	else
		fail "cannot check $1: this node has none of sha256sum, shasum and openssl"
	fi
	digest=${digest%% *}
}

# unpack WHAT FILE SHA256 [FROM] checks a package and unpacks it here. FROM is
# what messages call the file, if not by its name.
unpack() {
	from=${4:-$2}
	[ -f "$2" ] || fail "$1 is not on this node: there is no file $from"
	if [ -n "$3" ]; then
		sha256_of "$2"
		[ "$digest" = "$3" ] || fail "$1 in $from is not the right one: its SHA-256 is $digest, not $3"
	fi
	tar -xzof "$2" || fail "could not unpack $1 in $from: it is no gzipped tar, or the disk is full, or gzip is missing"
}

# download URL FILE is for jobs whose core Nomad did not fetch.
download() {
	if command -v curl >/dev/null; then
		curl -fsSL -o "$2" "$1" || fail "could not download $1"
	elif command -v wget >/dev/null; then
		wget -q -O "$2" "$1" || fail "could not download $1"
	else
		fail "cannot download $1: this node has neither curl nor wget"
	fi
}

fresh_directory() {
	dir=${HERON_NOMAD_WORKING_DIR:?is not set}
	# Whatever is there is deleted, so it has to look like one of ours.
	case ${dir##*/} in
	container-*[!0-9]* | container-) number= ;;
	container-*) number=yes ;;
	*) number= ;;
	esac
	case $number$dir in
	*/../* | */./*) number= ;;
	yes/*) ;;
	*) number= ;;
	esac
	[ -n "$number" ] || fail "HERON_NOMAD_WORKING_DIR is $dir; it has to be absolute and end in container-N"
	# The logs of the run before stay readable: heron logs shows them first.
	if [ -d "$dir/log-files" ]; then
		for log in "$dir"/heron-executor-*.std*; do
			[ ! -f "$log" ] || mv "$log" "$dir/log-files/" || :
		done
		{ rm -rf "$dir.logs" && mv "$dir/log-files" "$dir.logs"; } || :
	fi
	rm -rf "$dir" || fail "could not empty the working directory $dir"
	mkdir -p "$dir" || fail "could not make the working directory $dir"
	[ ! -d "$dir.logs" ] || mv "$dir.logs" "$dir/log-files.previous" || :
	cd "$dir" || fail "could not enter the working directory $dir"
}

get_core() {
	if [ "${HERON_USE_CORE_PACKAGE_URI:-false}" != true ]; then
		core=${HERON_CORE_PACKAGE_DIR:?is not set}
		case $core in
		/*) ;;
		*) core=${started%/}/$core ;;
		esac
		[ -d "$core" ] || fail "heron-core is not on this node: there is no directory $core"
		ln -s "$core" heron-core || fail "could not link $core"
		return
	fi
	core=${HERON_CORE_PACKAGE_FILE:-}
	if [ -z "$core" ]; then
		case ${HERON_CORE_PACKAGE_URI:?is not set} in
		http://* | https://*)
			core=heron-core.tar.gz
			download "$HERON_CORE_PACKAGE_URI" "$core"
			;;
		*) core=${HERON_CORE_PACKAGE_URI#file://} ;;
		esac
	fi
	unpack heron-core "$core" "${HERON_CORE_PACKAGE_SHA256:-}"
	rm -f heron-core.tar.gz
	[ -d heron-core ] || fail "the package $core has no heron-core directory"
}

get_topology() {
	package=${HERON_TOPOLOGY_PACKAGE_FILE:-}
	if [ -n "$package" ]; then
		[ -f "$package" ] || fail "the topology's package is not on this node: there is no file $package"
		# Others may write where it lies, so it is a copy that is checked and
		# unpacked.
		cp "$package" .heron-package || fail "could not copy the topology's package $package"
		unpack "the topology's package" .heron-package "${HERON_TOPOLOGY_PACKAGE_SHA256:-}" "$package"
		rm -f .heron-package
		return
	fi
	# heron-downloader checks HERON_TOPOLOGY_PACKAGE_SHA256 itself.
	set -f
	# shellcheck disable=SC2086 # it is a command line
	${HERON_TOPOLOGY_DOWNLOAD_CMD:?is not set} || fail "could not fetch the topology's package: $HERON_TOPOLOGY_DOWNLOAD_CMD"
	set +f
}

write_port_file() {
	[ -n "${METRICS_PORT_FILE:-}" ] || return 0
	case $METRICS_PORT_FILE in
	*/*) mkdir -p "${METRICS_PORT_FILE%/*}" || fail "could not make the directory of $METRICS_PORT_FILE" ;;
	esac
	printf '%s\n' "${NOMAD_PORT_metrics_port:?is not set}" >"$METRICS_PORT_FILE" ||
		fail "could not write the port file $METRICS_PORT_FILE"
}

# find_java sets java_home to this node's.
find_java() {
	if [ -n "${JAVA_HOME:-}" ]; then
		java_home=$JAVA_HOME
	else
		java=$(command -v java) || fail "cannot tell what \$JAVA_HOME is: it is not set on this node, and no java is on PATH"
		while [ -L "$java" ]; do
			link=$(readlink "$java") || fail "could not follow the link $java"
			case $link in
			/*) java=$link ;;
			*) java=${java%/*}/$link ;;
			esac
		done
		java_home=$(cd "${java%/*}/.." && pwd -P) || fail "could not find the home of $java"
	fi
	[ -x "$java_home/bin/java" ] || fail "JAVA_HOME is $java_home, which has no bin/java"
}

# put_java_home sets arg to $1 with every $JAVA_HOME in it replaced.
put_java_home() {
	arg='' rest=$1
	while :; do
		case $rest in
		*"\$JAVA_HOME"* | *"\${JAVA_HOME}"*) ;;
		*) break ;;
		esac
		[ -n "${java_home:-}" ] || find_java
		arg=$arg${rest%%"\$"*}
		rest=${rest#*"\$"}
		case $rest in
		JAVA_HOME*) arg=$arg$java_home rest=${rest#JAVA_HOME} ;;
		"{JAVA_HOME}"*) arg=$arg$java_home rest=${rest#"{JAVA_HOME}"} ;;
		*) arg="$arg\$" ;;
		esac
	done
	arg=$arg$rest
}

command -v tar >/dev/null || fail "this node has no tar"

if [ $# -eq 0 ]; then
	set -f
	# shellcheck disable=SC2086 # it is a command line
	set -- ${HERON_EXECUTOR_CMD:?is not set, and there are no arguments}
	set +f
fi

java_home=''
left=$#
while [ "$left" -gt 0 ]; do
	put_java_home "$1"
	shift
	set -- "$@" "$arg"
	left=$((left - 1))
done

started=$(pwd -P)
fresh_directory
get_core
get_topology
case $1 in
*/*) [ -x "$1" ] || fail "the executor $1 is not in heron-core" ;;
*) command -v "$1" >/dev/null || fail "the executor $1 is not on PATH" ;;
esac
write_port_file

# In place of this shell the executor gets its signals, and is waited for.
[ $$ -eq 1 ] || exec "$@"

# The first process of an image leads its session, so it cannot lead a process
# group of its own, which the executor does. There the shell stays: it passes
# signals on, waits, and ends as the executor does.
executor='' signalled=''
trap 'signalled=yes; [ -z "$executor" ] || kill -TERM "$executor" 2>/dev/null || :' TERM INT
"$@" &
executor=$!
[ -z "$signalled" ] || kill -TERM "$executor" 2>/dev/null || :
status=0
wait "$executor" || status=$?
# A signal ends the wait before the executor has ended.
while [ -n "$signalled" ]; do
	signalled='' last=$status status=0
	wait "$executor" || status=$?
	# The shell tells a status only once.
	[ "$status" -ne 127 ] || status=$last
done
exit "$status"
