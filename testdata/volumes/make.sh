#!/usr/bin/env bash
# Makes the disks of testdata/volumes and truth.txt by the kernel's own md, device-mapper
# and dm-crypt, in a virtual machine of Debian 12's kernel 6.1, which needs no hardware
# support: ./make.sh [md|lvm|nested|luks...]. It takes qemu-system-x86, cpio, kmod, busybox-static,
# lvm2, mdadm, e2fsprogs, cryptsetup-bin and fdisk, and the package linux-image-amd64 to be had by apt.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

apt-get download -qq "$(apt-cache depends linux-image-amd64 | awk '/Depends/{print $2; exit}')"
dpkg -x linux-image-*.deb kernel
version=$(ls kernel/lib/modules)
depmod -b kernel "$version"
mkdir -p root/{bin,sbin,dev,proc,sys,run,tmp,etc,mnt,modules}
n=100
for m in md-mod raid0 raid1 raid10 raid456 linear dm-mod dm-mirror dm-log dm-region-hash dm-raid dm-snapshot dm-thin-pool \
  dm-crypt essiv ecb sha256_generic virtio_blk virtio_pci ext4 xts algif_skcipher af_alg algif_hash loop crc32c_generic cbc; do
  modprobe -d "$work/kernel" -S "$version" --show-depends $m 2>/dev/null | awk '/^insmod/{print $2}' || true
done | awk '!seen[$0]++' | while read -r f; do n=$((n + 1)); cp "$f" root/modules/$n-"$(basename "$f")"; done
for tool in lvm mdadm mke2fs cryptsetup dmsetup sfdisk busybox; do
  path=$(readlink -f "$(command -v $tool)")
  cp "$path" root/bin/$tool
  { ldd "$path" 2>/dev/null || true; } | sed -n 's|[^/]*\(/[^ ]*\).*|\1|p' | while read -r lib; do mkdir -p "root$(dirname "$lib")"; cp -Ln "$lib" "root$lib"; done
done

cat >root/init <<'END'
#!/bin/busybox sh
/bin/busybox --install -s /sbin
export PATH=/bin:/sbin LC_ALL=C
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev; mount -t tmpfs t /run; mount -t tmpfs t /tmp
for f in /modules/*; do insmod $f 2>/dev/null; done
mkdir -p /run/lock/lvm /run/lvm /run/cryptsetup /etc/lvm
cat > /etc/lvm/lvm.conf <<E
activation { udev_sync=0 udev_rules=0 monitoring=0 raid_region_size=64 }
devices { use_devicesfile=0 }
global { use_lvmpolld=0 thin_check_executable="" }
backup { backup=0 archive=0 }
E
# fill DEVICE NAME SEED LINES: a file system that tells where it is
fill() {
  /bin/mke2fs -q -F -t ext4 -b ${BLOCK:-1024} -O ^has_journal,^resize_inode -N 32 -m 0 -E lazy_itable_init=0,nodiscard -L $2 $1
  mount -t ext4 $1 /mnt || echo "FAILED: mount $1"
  echo "this is $2" > /mnt/who; mkdir /mnt/d; ln -s d/numbers /mnt/link
  awk -v s=$3 -v n=$4 'BEGIN { for (i = 0; i < 2*n; i++) printf "%s %0500d\n", "'$2'", s+i }' > /mnt/d/numbers
  umount /mnt; sync
}
truth() { echo "TRUTH $CASE $1 $(blockdev --getsize64 $2) $(sha256sum < $2 | cut -d' ' -f1)"; }
settle() { while grep -q 'resync\|recovery' /proc/mdstat; do sleep 1; done; }
create() { yes | mdadm --create /dev/md0 --run --homehost=any --name=$CASE "$@"; settle; }
. /case.sh
sync
poweroff -f
END
chmod +x root/init

# run CASE NAME:SIZE...: what stdin says, with disks a, b and so on of those names
run() {
  local folder=$1 d drives=()
  shift
  cat >root/case.sh
  mkdir -p "disks/$folder"
  for d; do
    truncate -s "${d#*:}" "disks/$folder/${d%:*}"
    drives+=(-drive "file=disks/$folder/${d%:*},format=raw,if=virtio,cache=unsafe,discard=unmap")
  done
  (cd root && find . | cpio -o -H newc --quiet | gzip -1) >initrd.gz
  qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 768 -nographic -no-reboot -kernel kernel/boot/vmlinuz-* \
    -initrd initrd.gz -append "console=ttyS0 quiet panic=-1 rdinit=/init" "${drives[@]}" | tr -d '\r' | tee "$folder.log"
  mkdir -p "$here/$folder"
  for d; do gzip -9nc "disks/$folder/${d%:*}" >"$here/$folder/${d%:*}.gz"; done
}

md() {
  run md raid1-0.90.0:5M raid1-0.90.1:5M raid1-1.0.0:5M raid1-1.0.1:5M raid1-1.1.0:5M raid1-1.1.1:5M raid1-1.2.0:5M raid1-1.2.1:5M \
    linear-1.2.0:3M linear-1.2.1:4M linear-1.2.2:2M linear-0.90.0:3M linear-0.90.1:3M raid0-1.2.0:3M raid0-1.2.1:3M \
    raid1-stale.0:5M raid1-stale.1:5M raid5-1.2.0:3M raid5-1.2.1:3M raid5-1.2.2:3M raid10-1.0.0:5M raid10-1.0.1:5M <<'END'
one() { CASE=$1; s=$2; n=$3; shift 3; create "$@"; fill /dev/md0 $CASE $s $n; truth md /dev/md0; mdadm -S /dev/md0; }
one raid1-0.90 1 1000 -e 0.90 -l1 -n2 --bitmap=none /dev/vda /dev/vdb
one raid1-1.0 1000 1000 -e 1.0 -l1 -n2 --bitmap=none /dev/vdc /dev/vdd
one raid1-1.1 2000 1000 -e 1.1 -l1 -n2 --bitmap=none --data-offset=64K /dev/vde /dev/vdf
one raid1-1.2 3000 1000 -e 1.2 -l1 -n3 --bitmap=internal --data-offset=256K /dev/vdg /dev/vdh missing
one linear-1.2 4000 7000 -e 1.2 -llinear -n3 --data-offset=64K /dev/vdi /dev/vdj /dev/vdk
one linear-0.90 5000 4000 -e 0.90 -llinear -n2 /dev/vdl /dev/vdm
one raid0-1.2 6000 4000 -e 1.2 -l0 -c16 -n2 --data-offset=64K /dev/vdn /dev/vdo
CASE=raid1-stale # one member is failed, and the array goes on without it
create -e 1.2 -l1 -n2 --bitmap=none --data-offset=64K /dev/vdp /dev/vdq
fill /dev/md0 before 7000 200
mdadm /dev/md0 --fail /dev/vdp --remove /dev/vdp
fill /dev/md0 after 8000 200
truth md /dev/md0; mdadm -S /dev/md0
one raid5-1.2 9000 1000 -e 1.2 -l5 -c16 -n3 --bitmap=none --data-offset=64K /dev/vdr /dev/vds /dev/vdt
one raid10-1.0 9100 1000 -e 1.0 -l10 -n2 --bitmap=none /dev/vdu /dev/vdv
END
}

lvm() {
  run lvm pv0:16M pv1:16M pv2:16M <<'END'
CASE=lvm
lvm pvcreate -ff -y --metadatasize 256k /dev/vda /dev/vdb /dev/vdc
lvm vgcreate -s 64k vg0 /dev/vda /dev/vdb /dev/vdc
new() { lvm lvcreate -y -Wn -Zn "$@"; }
new -l 32 -n linear vg0 /dev/vda
new -l 48 -i3 -I 16k -n striped vg0
new -l 8 -n gap vg0 /dev/vda
lvm lvextend -l +16 vg0/linear /dev/vdb
lvm lvextend -l +16 vg0/linear /dev/vda
new --type mirror -m1 --mirrorlog core -l 32 -n mirror vg0 /dev/vda /dev/vdb
new --type raid1 -m1 -l 32 -n raid1 vg0 /dev/vdb /dev/vdc
new --type raid0 -i2 -I 16k -l 32 -n raid0 vg0 /dev/vdb /dev/vdc
new -l 16 -n origin vg0 /dev/vdc
s=1
for v in linear striped mirror raid1 raid0 origin; do
  fill /dev/vg0/$v $v $s 600; truth vg0/$v /dev/vg0/$v; s=$((s + 10000))
done
lvm lvcreate -y -s -l 8 -n snap vg0/origin
lvm lvcreate -y --type thin-pool -l 16 -n pool vg0
lvm lvcreate -y --type thin -V 8M --thinpool pool -n thin vg0
sleep 2
lvm vgchange -an vg0
END
}

# disk: the passphrase of its encrypted partition is "extscope". guest0 and guest1: a mirror with a
# group, whose volume is a disk with a table.
nested() {
  run nested disk:8M guest0:6M guest1:6M <<'END'
CASE=nested
printf 'label: gpt\nlabel-id: 6D8C2F0E-3B59-4F0A-9D7E-2F6A51C4B8E1\nsize=2MiB, name=boot, type=L\nsize=4MiB, name=system, type=L\n' | /bin/sfdisk -q /dev/vda
fill /dev/vda1 boot 1 30; truth boot /dev/vda1
printf extscope > /tmp/key
cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --luks2-metadata-size=16k --luks2-keyslots-size=256k --offset 1024 --key-file /tmp/key --label sealed /dev/vda2
cryptsetup open --key-file /tmp/key /dev/vda2 sealed
truth sealed /dev/mapper/sealed
lvm pvcreate -ff -y --metadatasize 64k /dev/mapper/sealed
lvm vgcreate -s 64k vgsealed /dev/mapper/sealed
lvm lvcreate -y -Wn -Zn -l 24 -n root vgsealed
lvm lvcreate -y -Wn -Zn -l 16 -n home vgsealed
fill /dev/vgsealed/root root 20000 60; truth vgsealed/root /dev/vgsealed/root
fill /dev/vgsealed/home home 40000 40; truth vgsealed/home /dev/vgsealed/home
lvm vgchange -an vgsealed; cryptsetup close sealed
CASE=guests
create -e 1.2 -l1 -n2 --bitmap=none --data-offset=64K /dev/vdb /dev/vdc
CASE=guest
lvm pvcreate -ff -y --metadatasize 128k /dev/md0
lvm vgcreate -s 64k vgmd /dev/md0
lvm lvcreate -y -Wn -Zn -l 60 -n disk vgmd
printf 'label: dos\nlabel-id: 0x12345678\nstart=64, size=4000, type=83\nstart=4200, type=83\n' | /bin/sfdisk -q --no-reread --no-tell-kernel /dev/vgmd/disk
dmsetup create guest1 --table "0 4000 linear $(dmsetup info -c --noheadings -o major,minor vgmd-disk | tr -d ' ') 64"
dmsetup mknodes
fill /dev/mapper/guest1 guest1 60000 300; truth guest1 /dev/mapper/guest1
truth vgmd/disk /dev/vgmd/disk
dmsetup remove guest1; lvm vgchange -an vgmd; mdadm -S /dev/md0
END
}

# Encrypted volumes: README.md in luks/ tells their passphrases. Areas of key slots that are not
# used are made zeros, to be small once compressed.
luks() {
  run luks v1-xts:1216K v1-essiv:704K v1-plain:704K v2-512:1M v2-4k:1M v2-cbc:1M <<'END'
CASE=luks
printf extscope > /tmp/key; printf 'second\n' > /tmp/second; printf third > /tmp/third
one() { # NAME DEVICE and how to format it
  name=$1 dev=$2; shift 2
  cryptsetup -q luksFormat --key-file /tmp/key "$@" $dev || echo "FAILED: format $name"
  case $name in v1-xts | v2-512)
    cryptsetup -q luksAddKey --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file /tmp/key $dev /tmp/second
    cryptsetup -q luksAddKey --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file /tmp/key $dev /tmp/third
    cryptsetup -q luksKillSlot --key-file /tmp/second $dev 0
  esac
  cryptsetup luksDump $dev
  cryptsetup open --key-file $([ $name = v1-xts ] || [ $name = v2-512 ] && echo /tmp/second || echo /tmp/key) $dev $name || echo "FAILED: open $name"
  dmsetup table $name
  fill /dev/mapper/$name $name 1 20; truth $name /dev/mapper/$name
  cryptsetup close $name
}
blank() { dd if=/dev/zero of=$1 bs=4096 seek=$2 count=$3 conv=notrunc 2>/dev/null; }
v1="--type luks1 --pbkdf-force-iterations 1000"
v2="--type luks2 --luks2-metadata-size=16k --luks2-keyslots-size=480k --offset 1024"
one v1-xts /dev/vda $v1 -c aes-xts-plain64 -s 256 --hash sha256 --align-payload 8
blank /dev/vda 1 32; blank /dev/vda 97 160 # slots 0, 3 to 7
one v1-essiv /dev/vdb $v1 -c aes-cbc-essiv:sha256 -s 128 --hash sha1 --align-payload 8
blank /dev/vdb 17 112
one v1-plain /dev/vdc $v1 -c aes-cbc-plain -s 128 --hash ripemd160 --align-payload 8
blank /dev/vdc 17 112
one v2-512 /dev/vdd $v2 -c aes-xts-plain64 -s 256 --pbkdf pbkdf2 --pbkdf-force-iterations 1000
blank /dev/vdd 8 32; blank /dev/vdd 104 24
BLOCK=4096
one v2-4k /dev/vde $v2 -c aes-xts-plain64 -s 256 --sector-size 4096 --pbkdf argon2id --pbkdf-force-iterations 4 --pbkdf-memory 1024 --pbkdf-parallel 2 --label four
blank /dev/vde 40 88
one v2-cbc /dev/vdf $v2 -c aes-cbc-plain64 -s 128 --sector-size 2048 --hash sha512 --pbkdf argon2i --pbkdf-force-iterations 4 --pbkdf-memory 32 --pbkdf-parallel 1
blank /dev/vdf 24 104
END
}

for case in "${@:-all}"; do
  if [ "$case" = all ]; then md; lvm; nested; luks; else "$case"; fi
done
# Cases that were not made again keep their lines.
touch "$here/truth.txt"
sed -n 's/^.*TRUTH //p' ./*.log >new
awk 'NR == FNR { made[$1] = 1; next } !($1 in made)' new "$here/truth.txt" >old
sort old new >"$here/truth.txt"
