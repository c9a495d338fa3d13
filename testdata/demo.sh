#!/bin/sh
# Makes demo.img, byte for byte the same each time: a small ext4 file system
# with one of everything that extscope reports. It takes mke2fs and debugfs
# (e2fsprogs), no root and no mount.
#
#	testdata/demo.sh [OUT]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/demo.img}
src=$(mktemp -d)
trap 'rm -rf "$src"' EXIT
export PATH="$PATH:/usr/sbin:/sbin" LC_ALL=C TZ=UTC
umask 022

# at SECONDS: the clock of the following commands.
at() { export E2FSPROGS_FAKE_TIME="$1"; }
# do_all: runs debugfs requests from stdin; any error message ends the script.
do_all() {
	debugfs -w -f - "$out" >"$src/log" 2>&1 || { cat "$src/log" >&2; exit 1; }
	if grep -v '^debugfs' "$src/log" | grep -v '^Allocated inode:' | grep -q .; then cat "$src/log" >&2; exit 1; fi
}
# ino PATH: its inode number.
ino() { debugfs -R "stat $1" "$out" 2>/dev/null | sed -n 's/^Inode: \([0-9]*\).*/\1/p'; }

# 1. An empty file system. 2025-03-01 09:00:00 UTC.
at 1740819600
rm -f "$out"
truncate -s 512K "$out"
mke2fs -q -F -t ext4 -b 1024 -I 256 -N 64 -m 0 -L demo -O ^has_journal,^resize_inode \
	-U 6a1f0b52-7d3c-4e8a-9b60-2f5d8c1e4a70 -E hash_seed=0d9e3c74-51b8-4f26-a3c9-7e60b4d2158f,lazy_itable_init=0 "$out"

# 2. What people put there. 2025-03-03 10:30:00 UTC.
at 1740997800
printf '#!/bin/sh\necho "one program, three names"\n' >"$src/busybox"
printf 'print("hello")\n' >"$src/python"
printf 'UTC0\n' >"$src/utc"
printf 'level = info\nrotate = weekly\n' >"$src/conf"
printf 'Read the long path with care.\n' >"$src/changes"
printf 'Things worth keeping.\n' >"$src/notes"
printf 'A first draft, soon thrown away.\n' >"$src/draft"
printf 'Results of 2024.\n' >"$src/report"
printf 'Call Ben. Water the plants.\n' >"$src/todo"
printf 'not really a picture\n' >"$src/photo"
seq 1 700 >"$src/data"
{ seq 1 300; } >"$src/worker"
# Head, hole, tail: blocks 0 and 95 of 96 hold data.
printf 'log starts\n' >"$src/applog"
truncate -s 98293 "$src/applog"
printf 'log ends.\n\n' >>"$src/applog"
chmod 644 "$src"/*
chmod 755 "$src/busybox" "$src/python"
cd "$src"
do_all <<'END'
mkdir /bin
mkdir /dev
mkdir /etc
mkdir /home
mkdir /home/ana
mkdir /home/ana/archive
mkdir /home/bob
mkdir /home/bob/photos
mkdir /srv
mkdir /usr
mkdir /usr/share
mkdir /usr/share/doc
mkdir /usr/share/doc/a-package-with-quite-a-long-name
mkdir /usr/share/zoneinfo
mkdir /var
mkdir /var/log
write busybox /bin/busybox
ln /bin/busybox /bin/sh
ln /bin/busybox /bin/ls
sif /bin/busybox links_count 3
write python /bin/python3.11
symlink /bin/python3 python3.11
symlink /bin/python /bin/python3
write utc /usr/share/zoneinfo/UTC
symlink /etc/localtime /usr/share/zoneinfo/UTC
write conf /etc/app.conf
write changes /usr/share/doc/a-package-with-quite-a-long-name/changelog
symlink /home/ana/changes ../../usr/share/doc/a-package-with-quite-a-long-name/changelog
write notes /home/ana/notes.txt
write draft /home/ana/draft.txt
write report /home/ana/report.txt
write todo /home/ana/todo.txt
symlink /home/ana/latest draft.txt
symlink /home/ana/result report.txt
symlink /home/ana/tool /opt/tool/bin/tool
symlink /home/ana/ping pong
symlink /home/ana/pong ping
symlink /home/ana/fds /proc/self/fd
write photo /home/bob/photos/beach.jpg
write photo /home/bob/photos/hills.jpg
symlink /home/bob/best photos/beach.jpg
write data /srv/data.bin
write applog /var/log/app.log
write worker /var/log/worker.log
cd /dev
mknod null c 1 3
mknod sda b 8 0
mknod initctl p
sif null mode 020666
sif sda mode 060660
sif sda gid 6
sif initctl mode 010600
END
for path in /home/ana /home/ana/archive /home/ana/notes.txt /home/ana/draft.txt /home/ana/report.txt \
	/home/ana/todo.txt /home/ana/latest /home/ana/result /home/ana/tool /home/ana/ping /home/ana/pong \
	/home/ana/fds /home/ana/changes; do
	printf 'sif %s uid 1000\nsif %s gid 1000\n' $path $path
done | do_all
for path in /home/bob /home/bob/photos /home/bob/photos/beach.jpg /home/bob/photos/hills.jpg /home/bob/best; do
	printf 'sif %s uid 1001\nsif %s gid 1001\n' $path $path
done | do_all

# 3. What happened to it later. 2025-03-07 17:45:00 UTC. No name is added in a
# folder after one was removed there: it would overwrite the removed one, which
# debugfs leaves in the gap, number and all, as kernels before 5.13 did.
at 1741369500
worker=$(ino /var/log/worker.log)
bob=$(ino /home/bob)
todo=$(ino /home/ana/todo.txt)
do_all <<END
ln /home/ana/report.txt /home/ana/archive/report-2024.txt
unlink /home/ana/report.txt
rm /home/ana/draft.txt
unlink /home/ana/todo.txt
unlink /home/bob
unlink /var/log/worker.log
sif <$worker> links_count 0
sif <$worker> dtime 0
ssv last_orphan $worker
sif /srv/data.bin links_count 3
END
echo "demo.img: orphan $worker, unattached file $todo, unattached directory $bob" >&2
