#!/bin/bash
# Makes the matrix: one tree (tree.py) on each kind of ext file system that mke2fs
# makes, written by the running kernel. Each folder holds image.gz, mkfs.txt (the
# mke2fs command), and truth.json.gz: what the kernel shows on a fresh read-only
# mount. It takes root, e2fsprogs, python3 and go.
#
#	testdata/matrix/make.sh [NAME...]
#
# remakes the named cases, or all of them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
mnt=$work/mnt
mkdir "$mnt"
trap 'mountpoint -q "$mnt" && umount "$mnt"; rm -rf --one-file-system "$work"' EXIT
export PATH="$PATH:/usr/sbin:/sbin" LC_ALL=C TZ=UTC
umask 022
(cd "$here/../.." && go build -o "$work/record" ./ext/exttest/record)
wanted=" $* "
count=0

# start NAME SIZE MKE2FS-ARGS...: makes the empty file system; fails if this case
# isn't wanted.
start() {
	name=$1 size=$2
	shift 2
	count=$((count + 1))
	[ "$wanted" = "  " ] || [[ $wanted == *" $name "* ]] || return 1
	dir=$here/$name image=$work/image
	mkdir -p "$dir"
	rm -f "$image"
	truncate -s "$size" "$image"
	local uuid
	uuid=e0$(printf '%06x' $count)-1f2e-4d3c-8b5a-697887968574
	{ printf 'truncate -s %s image\nmke2fs -q -F -m 0 -L %s -U %s' "$size" "${name:0:16}" "$uuid"; printf ' %s' "$@"; echo ' image'; } >"$dir/mkfs.txt"
	mke2fs -q -F -m 0 -L "${name:0:16}" -U "$uuid" "$@" "$image"
}

# fill KEY=VALUE...: writes the tree. Twice mounted, so that caches are dropped
# between, and what tree.py prints is kept in $said.
fill() {
	mount -o loop${options:+,$options} "$image" "$mnt"
	said=$(python3 "$here/tree.py" "$mnt" "$@" 2> >(sed "s/^/$name/" >&2))
	umount "$mnt"
}

# change REQUEST...: debugfs requests.
change() { printf '%s\n' "$@" | debugfs -w -f - "$image" >"$work/log" 2>&1 || { cat "$work/log"; return 1; }; }

# finish [RECORD-OPTION...]: records the truth, checks and packs the image.
finish() {
	"$work/record" "$@" "$image" "$dir/truth.json.gz"
	pack
}
pack() {
	e2fsck -fn "$image" >"$work/log" 2>&1 || { echo "$name: e2fsck has complaints:" >&2; cat "$work/log" >&2; }
	gzip -9nc "$image" >"$dir/image.gz"
	echo "$name: image $(stat -c %s "$dir/image.gz") truth $(stat -c %s "$dir/truth.json.gz")"
}

# simple NAME SIZE "KEY=VALUE..." MKE2FS-ARGS...
simple() {
	local name=$1 size=$2 keys=$3
	shift 3
	start "$name" "$size" "$@" || return 0
	fill $keys
	finish
}

# The three families, and block sizes.
simple ext2-rev0-1k 8M 'block=1024 big=0 xattrs=0' -t ext2 -r 0 -b 1024 -O none
simple ext2-1k 8M 'block=1024' -t ext2 -b 1024
simple ext2-4k 8M '' -t ext2 -b 4096
simple ext2-no-filetype 8M 'block=1024' -t ext2 -b 1024 -O ^filetype
simple ext2-inode-128 8M '' -t ext2 -b 4096 -I 128 -O ^dir_index
simple ext3-1k 12M 'block=1024 entries=10000' -t ext3 -b 1024
simple ext3-4k 16M '' -t ext3 -b 4096
simple ext4-1k 12M 'block=1024 entries=10000' -t ext4 -b 1024
simple ext4-2k 12M 'block=2048' -t ext4 -b 2048
simple ext4-4k 16M 'entries=10000' -t ext4 -b 4096
# Features taken away.
simple no-metadata-csum 16M '' -t ext4 -b 4096 -O ^metadata_csum
simple uninit-bg 24M 'block=1024' -t ext4 -b 1024 -O ^metadata_csum,uninit_bg
simple no-64bit 16M '' -t ext4 -b 4096 -O ^64bit
simple no-extent 12M 'block=1024' -t ext4 -b 1024 -O ^extent,^64bit
simple no-extent-4k 16M '' -t ext4 -b 4096 -O ^extent,^64bit
simple no-flex-bg 24M 'block=1024' -t ext4 -b 1024 -O ^flex_bg
simple no-journal 8M 'block=1024' -t ext4 -b 1024 -O ^has_journal
simple no-dir-index 12M 'block=1024' -t ext4 -b 1024 -O ^dir_index
# Inode sizes.
simple inode-128 16M '' -t ext4 -b 4096 -I 128
simple inode-512 16M '' -t ext4 -b 4096 -I 512
simple inode-1024 16M '' -t ext4 -b 4096 -I 1024 -N 512
simple inode-4096 16M '' -t ext4 -b 4096 -I 4096 -N 512
# Layout of groups and clusters.
simple bigalloc-16k 24M 'block=1024' -t ext4 -b 1024 -O bigalloc -C 16384 -N 512
simple bigalloc-64k 48M '' -t ext4 -b 4096 -O bigalloc -C 65536 -N 512
simple meta-bg 24M 'block=1024' -t ext4 -b 1024 -O meta_bg,^resize_inode -g 1024 -N 1536
simple many-groups 12M 'block=1024' -t ext4 -b 1024 -g 256 -N 1536
simple sparse-super2 24M 'block=1024' -t ext4 -b 1024 -O sparse_super2 -g 2048 -N 1536
simple no-sparse-super 24M 'block=1024' -t ext3 -b 1024 -O ^sparse_super,^resize_inode -g 2048 -N 1536
simple packed-meta 16M '' -t ext4 -b 4096 -E packed_meta_blocks=1
# Features added.
simple inline-data 12M 'block=1024' -t ext4 -b 1024 -O inline_data
simple inline-data-1024 16M '' -t ext4 -b 4096 -O inline_data -I 1024 -N 512
simple ea-inode 16M 'ea_inode=1' -t ext4 -b 4096 -O ea_inode
simple ea-inode-1k 12M 'block=1024 ea_inode=1' -t ext4 -b 1024 -O ea_inode,inline_data
simple large-dir 12M 'block=1024 entries=3000' -t ext4 -b 1024 -O large_dir
simple orphan-file 16M '' -t ext4 -b 4096 -O orphan_file
simple fast-commit 16M '' -t ext4 -b 4096 -O fast_commit -J fast_commit_size=256
simple stable-inodes 16M '' -t ext4 -b 4096 -O stable_inodes
simple mmp 16M '' -t ext4 -b 4096 -O mmp
simple encrypt 16M 'encrypt=1' -t ext4 -b 4096 -O encrypt
simple encrypt-1k 12M 'block=1024 encrypt=1' -t ext4 -b 1024 -O encrypt,inline_data

# quota NAME SIZE "KEY=VALUE..." MKE2FS-ARGS...: like simple, but this kernel writes
# no file system with quotas. So the features are off while the tree is written,
# and debugfs sets the project ids; e2fsck brings the quota files up to date.
quota() {
	local name=$1 size=$2 keys=$3
	shift 3
	start "$name" "$size" "$@" || return 0
	change 'feature -quota -project'
	fill project=1 $keys
	change 'feature quota project' 'sif /project projid 4000000' 'sif /project flags 0x20080000' \
		'sif /project/sub projid 4000000' 'sif /project/sub flags 0x20080000' 'sif /project/own projid 7' \
		'sif /project/inherits projid 4000000' 'sif /types projid 3000000000'
	e2fsck -fy "$image" >/dev/null 2>&1 || [ $? = 1 ]
	echo 'quota and project were off while the tree was written; project ids by debugfs: sif PATH projid N; quota files by e2fsck -fy' >>"$dir/mkfs.txt"
	finish
}
quota quota 16M '' -t ext4 -b 4096 -O quota,project -E quotatype=usrquota:grpquota:prjquota
quota everything 24M 'block=1024 ea_inode=1' -t ext4 -b 1024 -g 4096 -N 1536 \
	-O inline_data,ea_inode,large_dir,metadata_csum_seed,orphan_file,fast_commit,quota,project,stable_inodes,mmp,sparse_super2,encrypt

# The checksum seed stays when the UUID changes.
if start csum-seed 16M -t ext4 -b 4096 -O metadata_csum_seed; then
	tune2fs -U 00112233-4455-4677-8899-aabbccddeeff "$image" >/dev/null
	echo 'tune2fs -U 00112233-4455-4677-8899-aabbccddeeff image' >>"$dir/mkfs.txt"
	fill
	finish
fi

# Journalled data, and checksums of the third version in the journal.
options=data=journal simple data-journal 16M '' -t ext4 -b 4096

# This kernel can't seal files. Theirs is the layout that one with fs-verity
# leaves; the truth was recorded before the flag was set.
if start verity 16M -t ext4 -b 4096 -O verity; then
	fill verity=1
	change "sif /verity/file size $said"
	echo "debugfs: sif /verity/file size $said; sif /verity/file flags 0x180000 (after recording)" >>"$dir/mkfs.txt"
	"$work/record" -flags /verity/file=0x180000 "$image" "$dir/truth.json.gz"
	change 'sif /verity/file flags 0x180000'
	pack
fi

# This kernel can't fold case. Names are stored as given all the same; the truth
# was recorded before the feature and the flag were set.
if start casefold 16M -t ext4 -b 4096; then
	fill casefold=1
	echo 'debugfs (after recording): feature casefold; ssv encoding 1; ssv encoding_flags 0; sif /folded flags 0x40080000; sif /folded/Sub flags 0x40080000' >>"$dir/mkfs.txt"
	"$work/record" -flags /folded=0x40080000 -flags /folded/Sub=0x40080000 "$image" "$dir/truth.json.gz"
	change 'feature casefold' 'ssv encoding 1' 'ssv encoding_flags 0' 'sif /folded flags 0x40080000' 'sif /folded/Sub flags 0x40080000'
	pack
fi

# Blocks larger than a page this kernel doesn't mount: mke2fs copies the tree from
# another file system, and the truth is that tree's.
for kib in 8 64; do
	[ "$wanted" = "  " ] || [[ $wanted == *" ext4-${kib}k "* ]] || { count=$((count + 1)); continue; }
	rm -f "$work/tree"
	truncate -s 64M "$work/tree"
	mke2fs -q -F -t ext4 "$work/tree"
	mount -o loop "$work/tree" "$mnt"
	python3 "$here/tree.py" "$mnt" block=$((kib * 1024)) pieces=40
	rmdir "$mnt/lost+found"
	# mke2fs can't copy these: no socket, and nothing under a name it can't open.
	rm "$mnt/types/socket"
	start ext4-${kib}k 32M -t ext4 -b $((kib * 1024)) -N 512 -O ^has_journal -d "$mnt"
	sed -i "s,$mnt,tree," "$dir/mkfs.txt"
	finish -partial -t "$mnt"
	umount "$mnt"
done
