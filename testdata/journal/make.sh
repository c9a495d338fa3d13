#!/bin/bash
# Makes the images with something in their journal, all written by the running
# kernel. It takes root, e2fsprogs, python3 and go.
#
#	testdata/journal/make.sh [NAME...]
#
# remakes the named cases, or all of them.
#
# Power cuts: crash.gz is a copy of the backing file in the middle of crash.py's
# work, truth.json.gz what the kernel shows of another copy once it has replayed the
# journal, kernel.txt what it said doing so, e2fsck.txt what e2fsck -fn finds wrong
# after that, home.json.gz what the kernel shows of a third copy without replaying
# (noload). journal.gz is the journal's own device. Clean: image.gz, truth.json.gz, and what was done to it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
mnt=$work/mnt
mkdir "$mnt"
trap cleanup EXIT
cleanup() {
	mountpoint -q "$mnt" && umount "$mnt"
	for dev in $devices; do losetup -d "$dev"; done
	rm -rf --one-file-system "$work"
}
devices=
export PATH="$PATH:/usr/sbin:/sbin" LC_ALL=C TZ=UTC
umask 022
(cd "$here/../.." && go build -o "$work/record" ./ext/exttest/record)
wanted=" $* "
count=0

# start NAME SIZE MKE2FS-ARGS...: makes the empty file system; fails if this case
# isn't wanted. With $journal, a size, the journal gets a device of its own.
start() {
	name=$1 size=$2
	shift 2
	count=$((count + 1))
	[ "$wanted" = "  " ] || [[ $wanted == *" $name "* ]] || return 1
	dir=$here/$name image=$work/image
	mkdir -p "$dir"
	rm -f "$image" "$work"/*.copy "$dir"/*
	truncate -s "$size" "$image"
	local uuid
	uuid=c4$(printf '%06x' $count)-5a1e-4b0d-9c3f-6a6f75726e6c
	local -a args=(-q -F -m 0 -L "${name:0:16}" -U "$uuid" "$@")
	local device=
	if [ "$journal" ]; then
		truncate -s "$journal" "$work/journal"
		mke2fs -q -F -O journal_dev -b 4096 -U "${uuid/c4/d5}" "$work/journal"
		attach "$work/journal"
		device=$attached
		printf 'truncate -s %s journal\nmke2fs -q -F -O journal_dev -b 4096 -U %s journal\n' "$journal" "${uuid/c4/d5}" >"$dir/mkfs.txt"
		args+=(-J "device=$device")
	fi
	{
		printf 'truncate -s %s image\nmke2fs' "$size"
		printf ' %s' "${args[@]/$device/\/dev\/loopN}"
		echo ' image'
	} >>"$dir/mkfs.txt"
	mke2fs "${args[@]}" "$image"
}

# attach FILE: gives it a loop device, $attached.
attach() {
	attached=$(losetup -f --show "$1")
	devices="$devices $attached"
}
detach() {
	for dev in $devices; do losetup -d "$dev"; done
	devices=
}

# mounted IMAGE OPTIONS [JOURNAL]: mounts through devices that can be written, even
# if the mount is read-only: the kernel replays nothing on a read-only device.
mounted() {
	local options=$2
	if [ $# = 3 ]; then
		attach "$3"
		options+=,journal_path=$attached
	fi
	attach "$1"
	mount -t ext4 -o "$options" "$attached" "$mnt"
}

# crash NAME SIZE MOUNT-OPTIONS "KEY=VALUE..." MKE2FS-ARGS...
crash() {
	local name=$1 size=$2 options=$3 keys=$4
	shift 4
	start "$name" "$size" "$@" || return 0
	detach
	options=rw${options:+,$options}
	local -a journals=() copies=("$work/crash.copy=$image")
	if [ "$journal" ]; then
		journals=("$work/journal")
		copies+=("$work/journal.copy=$work/journal")
	fi
	{
		echo "mount -o $options image; crash.py base $keys; umount"
		echo "mount -o $options image; crash.py cut $keys"
	} >>"$dir/mkfs.txt"
	mounted "$image" "$options" "${journals[@]}"
	python3 "$here/crash.py" base "$mnt" $keys
	umount "$mnt"
	detach
	mounted "$image" "$options" "${journals[@]}"
	python3 "$here/crash.py" cut "$mnt" "${copies[@]}" $keys 2> >(sed "s/^/$name/" >&2)
	cat "/proc/fs/ext4/${attached##*/}/fc_info" >"$work/fc" 2>/dev/null || true
	umount "$mnt"
	detach
	gzip -9nc "$work/crash.copy" >"$dir/crash.gz"
	[ ! "$journal" ] || gzip -9nc "$work/journal.copy" >"$dir/journal.gz"
	truth
}

# truth: records both views of what was left. Home blocks may well contradict each
# other; what the kernel can't walk isn't recorded.
truth() {
	"$work/record" -o ro,noload "$work/crash.copy" "$dir/home.json.gz" 2>"$work/log" || {
		echo "$name: no home.json.gz: $(sed "s,$work,," "$work/log")" >&2
		rm -f "$dir/home.json.gz"
	}
	local options=ro
	# Mounted read-only, this kernel fails to replay fast commits that change names.
	[[ $keys != *fast* ]] || options=rw,noatime,noinit_itable
	local -a journals=()
	cp --sparse=always "$work/crash.copy" "$work/truth.copy"
	if [ "$journal" ]; then
		cp --sparse=always "$work/journal.copy" "$work/truth-journal.copy"
		journals=("$work/truth-journal.copy")
	fi
	local mark="record $name $$"
	echo "$mark" >/dev/kmsg
	mounted "$work/truth.copy" $options "${journals[@]}"
	[ $options = ro ] || mount -o remount,ro "$mnt"
	dmesg -t | sed "1,/$mark/d" | sed -n "s/EXT4-fs (${attached##*/})/EXT4-fs/p" >"$dir/kernel.txt"
	"$work/record" -t "$mnt" "$image" "$dir/truth.json.gz"
	umount "$mnt"
	detach
	e2fsck -fn ${journals:+-j "${journals[0]}"} "$work/truth.copy" >"$work/log" 2>&1 || grep '^[A-Z].*?' "$work/log" >"$dir/e2fsck.txt"
	echo "$name: $(cd "$dir" && stat -c '%n %s' *.gz *.txt | tr '\n' ' ')"
}

journal=
# Journals without checksums, with blocks numbered in 32 bits.
crash ext3 16M '' 'orphans=1' -t ext3 -b 4096 -N 512
crash ext3-1k 8M '' '' -t ext3 -b 1024 -N 512
# Checksums of the third version, 64-bit block numbers; and each of them alone.
crash ext4 16M '' '' -t ext4 -b 4096 -N 512
crash ext4-1k 8M '' '' -t ext4 -b 1024 -N 512
crash no-csum 16M '' '' -t ext4 -b 4096 -N 512 -O ^metadata_csum
crash no-64bit 16M '' '' -t ext4 -b 4096 -N 512 -O ^64bit
crash ext3-like 16M '' '' -t ext4 -b 4096 -N 512 -O ^64bit,^metadata_csum
# Checksums of the first version: one a transaction, in its commit block.
crash checksum-v1 16M 'journal_checksum' '' -t ext4 -b 4096 -N 512 -O ^metadata_csum
crash async-commit-v1 16M 'journal_async_commit,data=writeback' '' -t ext4 -b 4096 -N 512 -O ^metadata_csum
crash async-commit 16M 'journal_async_commit,data=writeback' '' -t ext4 -b 4096 -N 512
# File content in the log, some of it looking like the log.
crash data-journal 16M 'data=journal' 'magic=1 recycle=0' -t ext4 -b 4096 -N 512
crash data-journal-1k 12M 'data=journal' 'magic=1 recycle=0' -t ext3 -b 1024 -N 512
# A log of 1024 blocks written over several times.
crash wrapped 8M '' 'activity=many commits=390' -t ext4 -b 1024 -N 512 -J size=1
crash wrapped-ext3 8M '' 'activity=many commits=250' -t ext3 -b 1024 -N 512 -J size=1
# Deleted while open: the list through the inodes, and the file.
crash orphans 16M '' 'orphans=1' -t ext4 -b 4096 -N 512
crash orphan-file 16M '' 'orphans=1' -t ext4 -b 4096 -N 512 -O orphan_file
crash inline-data 12M '' 'inline=1' -t ext4 -b 1024 -N 512 -O inline_data
crash bigalloc 24M '' '' -t ext4 -b 1024 -O bigalloc -C 16384 -N 512
# Fast commits.
crash fast-commit 16M '' 'activity=fast' -t ext4 -b 4096 -N 512 -O fast_commit -J fast_commit_size=256
crash fast-commit-1k 12M '' 'activity=fast pieces=30' -t ext4 -b 1024 -N 512 -O fast_commit -J fast_commit_size=256
crash fast-commit-inline 12M '' 'activity=fast inline=1' -t ext4 -b 1024 -N 512 -O fast_commit,inline_data -J fast_commit_size=256
# The journal on a device of its own.
journal=8M crash external 12M '' '' -t ext4 -b 4096 -N 512

# clean: packs an image that was unmounted, with what the kernel shows of it.
clean() {
	"$work/record" "$image" "$dir/truth.json.gz"
	e2fsck -fn "$image" >"$work/log" 2>&1 || { echo "$name: e2fsck has complaints:" >&2; cat "$work/log" >&2; }
	gzip -9nc "$image" >"$dir/image.gz"
	echo "$name: $(cd "$dir" && stat -c '%n %s' *.gz *.json | tr '\n' ' ')"
}

# history NAME SIZE BLOCKSIZE "FAST" MKE2FS-ARGS...: forty changes and their record.
history() {
	local name=$1 size=$2 block=$3 fast=$4
	shift 4
	start "$name" "$size" "$@" || return 0
	echo "mount -o noatime image; history.py $fast; umount" >>"$dir/mkfs.txt"
	debugfs -R 'blocks <8>' "$image" 2>/dev/null >"$work/blocks"
	mounted "$image" rw,noatime
	python3 "$here/history.py" "$mnt" "$image" "$block" "$work/blocks" "$dir/changes.json" $fast
	umount "$mnt"
	detach
	clean
}
history history 16M 4096 '' -t ext4 -b 4096 -N 512
history history-ext3 16M 4096 '' -t ext3 -b 4096 -N 512
history history-fast 16M 4096 fast -t ext4 -b 4096 -N 512 -O fast_commit -J fast_commit_size=256

# rot: symlinks whose targets went away.
if start rot 16M -t ext4 -b 4096 -N 512; then
	echo "mount image; rot.py make; umount; mount image; rot.py break; umount" >>"$dir/mkfs.txt"
	for verb in make break; do
		mounted "$image" rw
		python3 "$here/rot.py" $verb "$mnt" "$dir/causes.json"
		umount "$mnt"
		detach
	done
	clean
fi
