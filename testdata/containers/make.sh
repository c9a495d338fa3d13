#!/bin/bash
# Makes the images in this folder: one small ext4 file system, raw.img.gz, in each form that
# evidence comes in. It takes e2fsprogs, qemu-utils, ewf-tools and
# android-sdk-libsparse-utils, but no root. The raw image is kept
# where it is there: made anew it has other times.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PATH="$PATH:/usr/sbin:/sbin" LC_ALL=C TZ=UTC E2FSPROGS_FAKE_TIME=1740819600
raw=$work/raw.img

if [ ! -e raw.img.gz ]; then
	umask 022
	mkdir -p "$work/tree/dir"
	seq 1 60000 >"$work/tree/seq"
	truncate -s 307200 "$work/tree/seq"
	head -c 102400 /dev/zero >"$work/tree/zeros"
	for i in $(seq -w 1 20); do echo "file $i" >"$work/tree/dir/file-$i"; done
	for i in 1 2 3; do ln -s "dir/file-0$i" "$work/tree/link-$i"; done
	find "$work/tree" -exec touch -h -d @1740819600 {} +
	mke2fs -q -t ext4 -b 1024 -O ^has_journal -U 6d8c2f0e-3b59-4f0a-9d7e-2f6a51c4b8e1 \
		-E hash_seed=6d8c2f0e-3b59-4f0a-9d7e-2f6a51c4b8e1,root_owner=0:0 -d "$work/tree" "$raw" 4M
	gzip -9nc "$raw" >raw.img.gz
fi
gzip -dc raw.img.gz >"$raw"

# put DIR FILE...: stores what was made.
put() {
	local dir=$1 f
	mkdir -p "$dir"
	shift
	for f; do gzip -9nc "$work/$f" >"$dir/$f.gz"; done
}

# vhd, vhdx, vdi: by qemu-img, and by virtual.py what that does not write
qemu-img convert -f raw -O vpc -o subformat=fixed,force_size=on "$raw" "$work/fixed.vhd"
qemu-img convert -f raw -O vpc -o subformat=dynamic,force_size=on "$raw" "$work/dynamic.vhd"
qemu-img convert -f raw -O vhdx -o block_size=1M "$raw" "$work/dynamic.vhdx"
qemu-img convert -f raw -O vdi "$raw" "$work/dynamic.vdi"
./virtual.py "$work"
put vhd fixed.vhd dynamic.vhd child.vhd middle.vhd parent.vhd
put vhdx dynamic.vhdx log.vhdx child.vhdx parent.vhdx
put vdi dynamic.vdi child.vdi parent.vdi

# E01 and S01. The date in them is that of the day.
ewf() { ewfacquire -q -u -f "$2" -c "$3" -S "$4" -t "$work/$1" -C "case 7" -E "item 3" -D "a small disk" -e "A. Examiner" -N "made for tests" "$raw" >/dev/null; }
ewf encase6 encase6 fast 8MiB
ewf encase1 encase1 fast 8MiB
ewf smart smart best 8MiB
ewf set encase5 none 1MiB
put e01 encase6.E01 encase1.E01 smart.s01 set.E01 set.E02 set.E03 set.E04 set.E05
# vmdk
for form in monolithicSparse streamOptimized; do
	qemu-img convert -f raw -O vmdk -o subformat=$form "$raw" "$work/$form.vmdk"
done
put vmdk monolithicSparse.vmdk streamOptimized.vmdk

# Android sparse
img2simg "$raw" "$work/raw.simg"
put simg raw.simg

# Compressed, in several parts where the form has such
split -b 1500K "$raw" "$work/part-"
for part in "$work"/part-*; do
	gzip -nc "$part" >>"$work/raw.gz"
	zstd -qc -19 "$part" >>"$work/raw.zst"
done
xz -c --block-size=1500KiB "$raw" >"$work/raw.xz"
bzip2 -c "$raw" >"$work/raw.bz2"
put packed raw.gz raw.xz raw.zst raw.bz2

# qcow2
qcow2() { qemu-img convert -f raw -O qcow2 "${@:2}" "$raw" "$work/$1"; }
qcow2 v3.qcow2
qcow2 v2.qcow2 -o compat=0.10,cluster_size=4096
qcow2 zlib.qcow2 -c
qcow2 zstd.qcow2 -c -o compression_type=zstd
qcow2 extended.qcow2 -o extended_l2=on,cluster_size=16K
# Of version 1 it says at the end that it failed, and has not.
qemu-img convert -f raw -c -O qcow "$raw" "$work/v1.qcow" || qemu-img compare -q -f raw -F qcow "$raw" "$work/v1.qcow"
put qcow2 v3.qcow2 v2.qcow2 zlib.qcow2 zstd.qcow2 extended.qcow2 v1.qcow

# e2image: metadata dumps, and the form that "e2image -I" takes
e2image -Q "$raw" "$work/dump.qcow2" 2>/dev/null
e2image -r "$raw" "$work/dump.raw" 2>/dev/null
e2image "$raw" "$work/dump.e2i" 2>/dev/null
put e2image dump.qcow2 dump.raw dump.e2i
