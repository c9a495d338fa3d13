#!/usr/bin/env python3
"""Fills a mounted ext file system with one of everything.

    tree.py MOUNTPOINT [KEY=VALUE...]

Keys: entries (names in /many, 600), block (file system block size, for the
fragmented files), and, each 0 or 1: big (a file beyond 4 GiB), xattrs, ea_inode
(10 KB values), project, encrypt, verity, casefold. What the file system refuses
is named on stderr and left out.
"""
import ctypes
import fcntl
import hashlib
import os
import socket
import stat
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)

KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE, INSERT_RANGE = 1, 2, 0x10, 0x20
GETFLAGS, SETFLAGS = 0x80086601, 0x40086602
FSGETXATTR, FSSETXATTR = 0x801C581F, 0x401C5820
ADD_KEY, SET_POLICY = 0xC0506617, 0x800C6613


def attempt(what, call, *args, **kwargs):
    try:
        return call(*args, **kwargs)
    except OSError as e:
        print(f"  without {what}: {e.strerror}", file=sys.stderr)


def fallocate(fd, mode, offset, length):
    if libc.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length)) != 0:
        n = ctypes.get_errno()
        raise OSError(n, os.strerror(n))


def write(path, data=b"", at=0):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        if data:
            os.pwrite(fd, data, at)
    finally:
        os.close(fd)


def pattern(number, size):
    """A block that says which one it is, and compresses well."""
    return (b"%07d\n" % number * (size // 8 + 1))[:size]


def types():
    os.mkdir("types")
    write("types/file", b"A regular file.\n" * 100)
    write("types/tiny", b"tiny\n")
    write("types/empty")
    os.mkdir("types/dir")
    os.symlink("file", "types/fast")
    for size in (1, 59, 60, 61, 900):
        os.symlink(b"x" * size, "types/link%d" % size)
    os.symlink("/absolute/target", "types/absolute")
    os.symlink(b"caf\xe9\n\x1b[31m", "types/odd-target")
    for name, kind in (("char", stat.S_IFCHR), ("block", stat.S_IFBLK)):
        # Up to 255 in both the old 16-bit form, else the new 32-bit one.
        for major, minor in ((1, 3), (8, 255), (4095, 0), (259, 1048575), (0, 256)):
            os.mknod(f"types/{name}-{major}-{minor}", kind | 0o600, os.makedev(major, minor))
    os.mkfifo("types/fifo")
    s = socket.socket(socket.AF_UNIX)
    s.bind("types/socket")
    s.close()


def names():
    os.mkdir("names")
    for i, name in enumerate((
            b"with space", b" leading", b"trailing ", b"new\nline", b"\x1b[31mred\x1b[0m", b"caf\xe9", b"\xff\xfe\xfd",
            "größe-日本-🗄".encode(), b"-rf", b"--help", b"@12", b"<12>", b"back\\slash", b"quo'te\"s", b"tab\tbell\x07",
            b"*", b"?", b"$(id)", b"a;b", b"...", b"%s%n", b"\x01\x7f", b"n" * 255, b"\xf0\x9f\x97\x84" * 63, b"=1+1", b"a,b|c",
            "rtl\u202egpj.exe".encode(), b"CON", b"x", b"xy", b"xyz", b"wxyz")):
        write(b"names/" + name, b"%d\n" % i)
    os.mkdir(b"names/dir \xe9")
    write(b"names/dir \xe9/below", b"below\n")


def hard():
    os.makedirs("hard/sub")
    write("hard/a", b"three names\n")
    os.link("hard/a", "hard/b")
    os.link("hard/a", "hard/sub/c")
    os.symlink("a", "hard/soft")
    os.link("hard/soft", "hard/sub/soft", follow_symlinks=False)
    os.mkfifo("hard/fifo")
    os.link("hard/fifo", "hard/sub/fifo")


def sparse(block, big):
    os.mkdir("sparse")
    write("sparse/head", pattern(1, block), 64 * block)
    write("sparse/middle", pattern(1, block))
    write("sparse/middle", pattern(2, 100), 100 * block)
    write("sparse/tail", pattern(1, block + 100))
    os.truncate("sparse/tail", 300 * block + 1)
    write("sparse/nothing")
    os.truncate("sparse/nothing", 1 << 20)
    # Zeros that are stored, not a hole.
    write("sparse/zeros", bytes(4 * block))
    # The last byte of the direct, indirect and double indirect blocks, and the
    # first after: the edges of a block map.
    per = block // 4
    for name, edge in (("direct", 12), ("indirect", 12 + per), ("double", 12 + per + per * per)):
        path = f"sparse/edge-{name}"
        if edge * block > (1 << 30) and not big:
            continue
        attempt(path, write, path, b"ab", edge * block - 1)
    if big:
        path = "sparse/beyond-4g"
        for i, offset in enumerate((0, (1 << 31) - 5, (1 << 32) - 4096, (1 << 32) + (8 << 20))):
            attempt(f"{path} at {offset}", write, path, pattern(i, 5000), offset)
        attempt(path, os.truncate, path, (1 << 32) + (8 << 20) + 12345)


def fragmented(block, pieces):
    os.mkdir("frag")
    # Every other block: as many extents as pieces. Of 1 KiB blocks, 400 take a
    # tree of depth 2.
    fd = os.open("frag/every-other", os.O_WRONLY | os.O_CREAT, 0o644)
    for i in range(pieces):
        os.pwrite(fd, pattern(i, block), 2 * i * block)
    os.close(fd)
    # Two files that grow in turn.
    fds = [os.open("frag/turn-" + n, os.O_WRONLY | os.O_CREAT, 0o644) for n in "ab"]
    for i in range(12):
        for fd in fds:
            os.write(fd, pattern(i, 2 * block))
            os.fsync(fd)
    for fd in fds:
        os.close(fd)
    fd = os.open("frag/punched", os.O_WRONLY | os.O_CREAT, 0o644)
    for i in range(64):
        os.write(fd, pattern(i, block))
    os.fsync(fd)
    for first, count in ((0, 1), (5, 2), (20, 13), (40, 1), (62, 2)):
        attempt("punched hole", fallocate, fd, PUNCH_HOLE | KEEP_SIZE, first * block, count * block)
    attempt("punched part", fallocate, fd, PUNCH_HOLE | KEEP_SIZE, 50 * block + 100, block)
    attempt("zero range", fallocate, fd, ZERO_RANGE, 10 * block, 3 * block)
    os.close(fd)


def preallocated(block):
    os.mkdir("prealloc")
    for name, mode, length, data, at in (
            ("keep-size", KEEP_SIZE, 64 * block, b"short\n", 0),
            ("extended", 0, 64 * block, None, 0),
            ("middle", 0, 64 * block, pattern(1, 3 * block), 20 * block),
            ("two-parts", 0, 40 * block, pattern(2, block), 39 * block)):
        fd = os.open("prealloc/" + name, os.O_WRONLY | os.O_CREAT, 0o644)
        attempt("prealloc/" + name, fallocate, fd, mode, 0, length)
        if data:
            os.pwrite(fd, data, at)
        os.close(fd)


def many(entries):
    os.mkdir("many")
    inodes = min(100, entries // 50 + 4)
    for i in range(entries):
        name = f"many/entry-{i:05d}" + "-longer" * (i % 7 == 0)
        if i < inodes:
            write(name)
        else:
            os.link(f"many/entry-{i % inodes:05d}" + "-longer" * (i % inodes % 7 == 0), name)


def deep():
    path = "/".join(["deep"] + [str(i) for i in range(1, 13)])
    os.makedirs(path)
    write(path + "/bottom", b"bottom\n")
    os.symlink("../" * 12 + "types/file", path + "/up")


def modes():
    os.mkdir("modes")
    for mode in (0o4755, 0o2755, 0o6711, 0o1644, 0o0000, 0o7777):
        path = "modes/file-%04o" % mode
        write(path)
        os.chmod(path, mode)
    for mode in (0o1777, 0o2775, 0o0700):
        path = "modes/dir-%04o" % mode
        os.mkdir(path)
        os.chmod(path, mode)
    for uid, gid in ((1000, 1000), (65534, 65535), (65536, 70000), (4000000000, 4294967294)):
        path = f"modes/owner-{uid}-{gid}"
        write(path)
        os.chown(path, uid, gid)


def times():
    os.mkdir("times")
    for name, sec, ns in (
            ("1901", -(1 << 31), 0), ("1902", -2145916800, 999999999), ("1965", -157766400, 1), ("1969", -1, 123456789),
            ("1970", 0, 0), ("2001", 1000000000, 100), ("2038", (1 << 31) - 1, 987654321), ("2038-after", 1 << 31, 5),
            ("2106", (1 << 32) - 1, 6), ("2106-after", 1 << 32, 7), ("2174", (3 << 31) - 1, 8), ("2242", 8573193600, 9),
            ("2310", (5 << 31) - 1, 10), ("2445", 14989996800, 11), ("2446", (7 << 31) - 1, 999999999)):
        path = "times/" + name
        write(path)
        os.utime(path, ns=(sec * 10**9 + ns, sec * 10**9 + ns))
    os.symlink("nowhere", "times/link")
    os.utime("times/link", ns=(10**18, 10**18 + 1), follow_symlinks=False)


def acl(*entries):
    """system.posix_acl_*: version 2, then tag, permissions and id of each."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries)


USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER, NOBODY = 1, 2, 4, 8, 0x10, 0x20, 0xFFFFFFFF


def xattrs(block):
    os.mkdir("xattrs")

    def put(path, name, value):
        attempt(f"{name} ({len(value)} bytes) of {path}", os.setxattr, path, name, value, follow_symlinks=False)

    for name in ("body", "block", "many", "share1", "share2", "acl", "capability", "capability-v3", "selinux", "binary"):
        write("xattrs/" + name, name.encode())
    put("xattrs/body", "user.small", b"v")
    put("xattrs/body", "user.empty", b"")
    put("xattrs/block", "user.small", b"in the body, where there is room")
    put("xattrs/block", "user.large", b"0123456789" * (block // 20))
    put("xattrs/block", "trusted.note", b"for root only")
    put("xattrs/block", "security.custom", b"\x00\x01\x02")
    for i in range(20):
        put("xattrs/many", f"user.number-{i:02d}", b"%d" % i * (i % 5))
    for path in ("xattrs/share1", "xattrs/share2"):
        put(path, "user.same", b"the same block serves both " * 10)
    put("xattrs/acl", "system.posix_acl_access", acl(
        (USER_OBJ, 6, NOBODY), (USER, 4, 1000), (USER, 7, 100000), (GROUP_OBJ, 4, NOBODY), (GROUP, 5, 2000),
        (MASK, 7, NOBODY), (OTHER, 0, NOBODY)))
    os.mkdir("xattrs/acl-dir")
    put("xattrs/acl-dir", "system.posix_acl_default", acl(
        (USER_OBJ, 7, NOBODY), (USER, 5, 1000), (GROUP_OBJ, 5, NOBODY), (MASK, 5, NOBODY), (OTHER, 5, NOBODY)))
    put("xattrs/acl-dir", "system.posix_acl_access", acl(
        (USER_OBJ, 7, NOBODY), (USER, 7, 1000), (GROUP_OBJ, 5, NOBODY), (MASK, 7, NOBODY), (OTHER, 5, NOBODY)))
    write("xattrs/acl-dir/inherits", b"inherited\n")
    os.mkdir("xattrs/acl-dir/sub")
    put("xattrs/capability", "security.capability", struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))
    put("xattrs/capability-v3", "security.capability", struct.pack("<6I", 0x03000000, 1 << 10, 1 << 21, 1 << 5, 0, 100000))
    put("xattrs/selinux", "security.selinux", b"system_u:object_r:etc_t:s0\0")
    put("xattrs/binary", "user.bytes", bytes(range(60)))
    put("xattrs/binary", "user.näme", b"name beyond ASCII")
    os.symlink("selinux", "xattrs/link")
    put("xattrs/link", "security.selinux", b"system_u:object_r:etc_t:s0\0")
    os.symlink("y" * 100, "xattrs/long-link")
    put("xattrs/long-link", "trusted.on-link", b"z" * 50)
    os.symlink("block", "xattrs/link-with-block")
    put("xattrs/link-with-block", "trusted.large", b"q" * (block // 3))
    os.mknod("xattrs/device", stat.S_IFCHR | 0o600, os.makedev(1, 5))
    put("xattrs/device", "security.selinux", b"system_u:object_r:zero_device_t:s0\0")
    os.mkdir("xattrs/dir")
    put("xattrs/dir", "user.on-directory", b"yes")


def ea_inodes():
    os.mkdir("ea")
    for name in ("one", "same", "other", "two-values"):
        write("ea/" + name, name.encode())
    for path in ("ea/one", "ea/same", "ea/two-values"):
        attempt("10 KB value", os.setxattr, path, "user.big", b"0123456789abcdef" * 640)
    attempt("60 KB value", os.setxattr, "ea/other", "user.bigger", b"fedcba9876543210" * 3840)
    attempt("second value", os.setxattr, "ea/two-values", "user.second", b"2" * 5000)
    attempt("small value", os.setxattr, "ea/two-values", "user.small", b"s")


def set_flags(path, flags):
    fd = os.open(path, os.O_RDONLY)
    try:
        old, = struct.unpack("l", fcntl.ioctl(fd, GETFLAGS, bytes(8)))
        fcntl.ioctl(fd, SETFLAGS, struct.pack("l", old | flags))
    finally:
        os.close(fd)


def flags():
    os.mkdir("flags")
    # The letters of chattr(1).
    for letter, bit in (("s", 1), ("u", 2), ("S", 8), ("i", 0x10), ("a", 0x20), ("d", 0x40), ("A", 0x80), ("j", 0x4000),
                        ("t", 0x8000)):
        write("flags/" + letter, b"+" + letter.encode())
        attempt(f"flag {letter}", set_flags, "flags/" + letter, bit)
    write("flags/dAS", b"three")
    attempt("flags dAS", set_flags, "flags/dAS", 0x40 | 0x80 | 8)
    for letter, bit in (("D", 0x10000), ("T", 0x20000)):
        os.mkdir("flags/dir-" + letter)
        attempt(f"flag {letter}", set_flags, "flags/dir-" + letter, bit)


def project():
    os.mkdir("project")
    write("project/before", b"no project\n")
    write("project/own", b"project 7\n")
    for path, xflags, number in (("project/own", 0, 7), ("project", 0x200, 4000000)):
        fd = os.open(path, os.O_RDONLY)
        old = bytearray(fcntl.ioctl(fd, FSGETXATTR, bytes(28)))
        struct.pack_into("<I", old, 0, struct.unpack_from("<I", old)[0] | xflags)
        struct.pack_into("<I", old, 12, number)
        attempt("project id", fcntl.ioctl, fd, FSSETXATTR, bytes(old))
        os.close(fd)
    write("project/inherits", b"project 4000000\n")
    os.mkdir("project/sub")


def add_key(fd, kind, identifier, raw):
    arg = bytearray(struct.pack("<II32sI36x", kind, 0, identifier, len(raw)) + raw)
    fcntl.ioctl(fd, ADD_KEY, arg)
    return bytes(arg[8:24])


def encrypted():
    """Folders under both policy versions. Without the keys the kernel shows
    no-key names, and neither content nor new names."""
    root = os.open(".", os.O_RDONLY)
    key = hashlib.sha512(b"a key that anybody may know").digest()
    ident = add_key(root, 2, b"", key)
    add_key(root, 1, b"fixture1", key)
    policies = {
        "v2": struct.pack("<BBBBB3x16s", 2, 1, 4, 3, 0, ident),
        "v2-pad4": struct.pack("<BBBBB3x16s", 2, 1, 4, 0, 0, ident),
        "v1": struct.pack("<BBBB8s", 0, 1, 4, 3, b"fixture1"),
        "large": struct.pack("<BBBBB3x16s", 2, 1, 4, 2, 0, ident),
    }
    for name, policy in policies.items():
        path = "encrypted-" + name
        os.mkdir(path)
        fd = os.open(path, os.O_RDONLY)
        ok = attempt("policy " + name, fcntl.ioctl, fd, SET_POLICY, policy)
        os.close(fd)
        if ok is None:
            continue
        if name == "large":
            for i in range(300):
                if i < 5:
                    write(f"{path}/entry number {i}")
                else:
                    os.link(f"{path}/entry number {i % 5}", f"{path}/entry number {i}")
            continue
        write(path + "/short", b"secret\n")
        write(path + "/empty")
        write(path + "/content", b"secret content\n" * 500)
        os.link(path + "/short", path + "/hard link")
        for size in (1, 16, 17, 100, 150, 200, 255):
            write(path + "/" + "n" * size, b"%d\n" % size)
        os.mkdir(path + "/folder")
        write(path + "/folder/below", b"below\n")
        os.symlink("short", path + "/symlink")
        os.symlink("t" * 200, path + "/long symlink")
        os.mkfifo(path + "/fifo")
        os.mknod(path + "/device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    os.close(root)


def verity():
    """A file with its Merkle tree and descriptor past what will be its end
    (fs/ext4/verity.c). The inode's size and flag are set afterwards."""
    os.mkdir("verity")
    data = b"".join(pattern(i, 4096) for i in range(24)) + b"the last, short block\n"
    blocks = [data[i:i + 4096].ljust(4096, b"\0") for i in range(0, len(data), 4096)]
    level = b"".join(hashlib.sha256(b).digest() for b in blocks).ljust(4096, b"\0")
    descriptor = struct.pack("<BBBBIQ64s32s144x", 1, 1, 12, 0, 0, len(data), hashlib.sha256(level).digest(), b"")
    end = descriptor + bytes(4096 - len(descriptor) - 4) + struct.pack("<I", len(descriptor))
    start = (len(data) + 65535) // 65536 * 65536
    write("verity/file", data)
    write("verity/file", level + end, start)
    write("verity/plain", b"not sealed\n")
    print(len(data))


def main():
    os.chdir(sys.argv[1])
    o = dict(entries=600, block=4096, big=1, xattrs=1, ea_inode=0, project=0, encrypt=0, verity=0, casefold=0, pieces=400)
    o.update((k, int(v)) for k, v in (a.split("=") for a in sys.argv[2:]))
    os.umask(0o022)
    types()
    names()
    hard()
    sparse(o["block"], o["big"])
    fragmented(o["block"], o["pieces"])
    preallocated(o["block"])
    many(o["entries"])
    deep()
    modes()
    times()
    if o["xattrs"]:
        xattrs(o["block"])
    if o["ea_inode"]:
        ea_inodes()
    flags()
    if o["project"]:
        project()
    if o["encrypt"]:
        encrypted()
    if o["verity"]:
        verity()
    if o["casefold"]:
        os.mkdir("folded")
        for name in ("Makefile", "README", "Größe", "Straße", "ΣΑΣ"):
            write("folded/" + name, name.encode())
        os.mkdir("folded/Sub")


main()
