#!/bin/bash
# Makes small, small-ext2 and small-inline with the running kernel: 1 MiB each,
# 1 KiB blocks, one of each structure that can be damaged (ext/exttest patches
# them). Each folder holds image.gz, mkfs.txt and truth.json.gz, as in matrix/.
# It takes root, e2fsprogs, python3 and go.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
mnt=$work/mnt image=$work/image
mkdir "$mnt"
trap 'mountpoint -q "$mnt" && umount "$mnt"; rm -rf --one-file-system "$work"' EXIT
export PATH="$PATH:/usr/sbin:/sbin" LC_ALL=C TZ=UTC
umask 022
(cd "$here/.." && go build -o "$work/record" ./ext/exttest/record)

# block NUMBER: 1 KiB that says which block it is.
block() { printf "%07d\n%.0s" $(yes "$1" | head -n 128); }

# put FILE BLOCK: writes that block of a file.
put() { block "$2" | dd of="$1" bs=1024 seek="$2" conv=notrunc status=none; }

tree() {
	mkdir -p a/b/c/down many
	printf 'hello\n' >file
	ln file hard
	ln -s file soft
	ln -s self self
	ln -s "$(printf '././././././././././././././././././././././././././././././file')" slow
	mknod device c 5 1
	printf 'one\n' >o1
	printf 'two\n' >o2
	printf 'three\n' >o3
	: >a/b/sibling
	for i in $(seq -w 1 70); do ln file "many/a-name-that-is-rather-long-$i"; done
	for i in $(seq 0 2 40); do put frag $i; done
	printf 'x' >xattr
	setfattr -n user.large -v "$(printf '0123456789%.0s' {1..40})" xattr
	setfattr -n user.small -v small xattr
}

# make NAME TREE MKE2FS-ARGS...
make() {
	local dir=$here/$1 fill=$2
	shift 2
	mkdir -p "$dir"
	rm -f "$image"
	truncate -s 1M "$image"
	mke2fs -q -F -m 0 -b 1024 -g 256 "$@" "$image"
	echo "truncate -s 1M image" >"$dir/mkfs.txt"
	echo "mke2fs -q -F -m 0 -b 1024 -g 256 $* image" >>"$dir/mkfs.txt"
	mount -o loop "$image" "$mnt"
	(cd "$mnt" && $fill)
	umount "$mnt"
	if [ "$fill" = tree_inline ]; then
		# The kernel reads a symlink stored as inline data, and writes none.
		debugfs -w -R "symlink /inline-link a/b/../b/../b/../b/../b/../b/../b/../b/../b/../b/../b/../b/../../file" "$image" 2>/dev/null
		echo 'debugfs -w -R "symlink /inline-link a/b/…"' >>"$dir/mkfs.txt"
	fi
	"$work/record" "$image" "$dir/truth.json.gz"
	e2fsck -fn "$image" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
	gzip -9nc "$image" >"$dir/image.gz"
	echo "${dir##*/}: image $(stat -c %s "$dir/image.gz") truth $(stat -c %s "$dir/truth.json.gz")"
}

tree_ext2() {
	tree
	# Direct, indirect, double and triple indirect blocks.
	for i in 0 11 12 267 268 1000 65803 65804 70000; do put mapped $i; done
}

tree_inline() {
	tree
	printf 'tiny\n' >tiny
	head -c 120 </dev/zero | tr '\0' m >medium
	mkdir dir
	: >dir/one
	: >dir/two
}

make small tree -t ext4 -N 192 -O ^has_journal,^resize_inode -L small -U 5a3a11e4-0001-4c5f-9d21-30b1c7e48f66
make small-ext2 tree_ext2 -t ext2 -N 192 -O ^resize_inode -L small-ext2 -U 5a3a11e4-0002-4c5f-9d21-30b1c7e48f66
make small-inline tree_inline -t ext4 -N 192 -O ^has_journal,^resize_inode,inline_data,ea_inode -L small-inline \
	-U 5a3a11e4-0003-4c5f-9d21-30b1c7e48f66
