#!/bin/bash
# Makes the steps of the links tutorial with the running kernel: each folder
# NN-name holds commands.txt, the shell commands that were run in the root of
# the mounted file system, and what came of them: image.gz, the image after
# unmounting; facts.json, the kernel's view after a fresh read-only mount (one
# object a line, as in truth.json.gz); facts.txt, the same as ls, stat, readlink
# and cat print it. Steps go on from the one before unless commands.txt starts
# with "# fresh". It takes root, e2fsprogs, python3 and
# go.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
mnt=$work/mnt
mkdir "$mnt"
trap 'mountpoint -q "$mnt" && umount "$mnt"; rm -rf --one-file-system "$work"' EXIT
export PATH="$PATH:/usr/sbin:/sbin" LC_ALL=C TZ=UTC
umask 022
(cd "$here/../.." && go build -o "$work/record" ./ext/exttest/record)

fresh() {
	rm -f "$work/image"
	truncate -s 4M "$work/image"
	mke2fs -q -F -t ext4 -b 1024 -I 256 -N 128 -m 0 -L links -J size=1 -E lazy_itable_init=0,root_owner=0:0 \
		-U b3f5a9d2-0c47-4e19-8f6d-$(printf %012d "$1") "$work/image"
	mount -o loop "$work/image" "$mnt"
	rmdir "$mnt/lost+found"
	umount "$mnt"
}

# cat_inside PATH: what cat prints in a chroot of the mount, where an absolute
# symlink starts at the image's root.
cat_inside() {
	python3 - "$mnt" "$1" <<'END'
import os, sys
root, path = (os.fsencode(a) for a in sys.argv[1:])
os.chroot(root)
os.chdir("/")
try:
    fd = os.open(path, os.O_RDONLY)
    sys.stdout.buffer.write(os.read(fd, 1 << 16))
except OSError as e:
    print("cat: %s: %s" % (os.fsdecode(path), e.strerror))
END
}

facts() {
	(
		cd "$mnt"
		echo '$ ls -liaR --time-style=full-iso'
		# The first ".." is the host's folder.
		ls -liaR --time-style=full-iso . | sed '0,/ \.\.$/{/ \.\.$/d}'
		find . -mindepth 1 -printf '%P\n' | sort | while IFS= read -r path; do
			echo
			echo "\$ stat $path"
			stat --printf '%N: inode %i, %h link(s), %s bytes, %b blocks, %F\n' "$path"
			[ ! -L "$path" ] || { echo "\$ readlink $path"; readlink "$path"; }
			[ -d "$path" -a ! -L "$path" ] || { echo "\$ cat $path"; cat_inside "$path"; }
		done
	) >"$1"
}

number=0
for dir in "$here"/[0-9][0-9]-*/; do
	dir=${dir%/}
	number=$((number + 1))
	if [ $number = 1 ] || head -n 1 "$dir/commands.txt" | grep -q '^# fresh'; then fresh $number; fi
	# Times of one step differ from those of the next.
	sleep 0.1
	mount -o loop "$work/image" "$mnt"
	(cd "$mnt" && sh -eu "$dir/commands.txt")
	umount "$mnt"
	gzip -9nc "$work/image" >"$dir/image.gz"
	mount -o loop,ro,noload "$work/image" "$mnt"
	facts "$dir/facts.txt"
	umount "$mnt"
	"$work/record" "$work/image" "$dir/facts.json"
	e2fsck -fn "$work/image" >/dev/null 2>&1 || { echo "${dir##*/}: e2fsck has complaints" >&2; exit 1; }
	echo "${dir##*/}: $(stat -c %s "$dir/image.gz") bytes"
done
