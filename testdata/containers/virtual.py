#!/usr/bin/env python3
"""Writes differencing disks and a vhdx with a log, after the formats' specifications.

virtual.py DIR: DIR holds raw.img and, of it, dynamic.vhdx made by qemu-img. Each chain
of child and parents holds what raw.img does: the parents are older states of it.
"""
import os
import struct
import subprocess
import sys
import uuid

SECTOR = 512
MIB = 1 << 20
work = sys.argv[1]


def path(name):
    return os.path.join(work, name)


def read(name):
    with open(path(name), "rb") as f:
        return f.read()


def write(name, data):
    with open(path(name), "wb") as f:
        f.write(data)


def invert(data, *ranges):
    data = bytearray(data)
    for start, n in ranges:
        data[start:start + n] = bytes(b ^ 0xFF for b in data[start:start + n])
    return bytes(data)


def convert(data, name, form, options):
    write("old.img", data)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", form, "-o", options, path("old.img"), path(name)], check=True)


raw = read("raw.img")
# Beside a few sectors and a long run, what is zeros today, and is the child's to say so.
old = invert(raw, (100 * SECTOR, 3 * SECTOR), (300000, 70000), (2 * MIB + 5000, 3000), (3 * MIB, MIB))
oldest = invert(old, (60 * SECTOR, 41 * SECTOR), (1500000, 9000))


# vhd

def vhd_sum(b, at):
    return struct.pack(">I", ~(sum(b[:at]) + sum(b[at + 4:])) & 0xFFFFFFFF)


def vhd_differencing(name, data, below, parent, block):
    """data as what differs from below, which is what the vhd called parent holds."""
    parent_id = read(parent)[-SECTOR + 68:][:16]
    own = uuid.uuid5(uuid.NAMESPACE_URL, name).bytes
    foot = bytearray(SECTOR)
    foot[:8] = b"conectix"
    struct.pack_into(">IIQI4sI4sQQ", foot, 8, 2, 0x10000, SECTOR, 800000000, b"win ", 0x60001, b"Wi2k", len(data), len(data))
    struct.pack_into(">HBBI", foot, 56, 60, 8, 17, 4)
    foot[68:84] = own
    foot[64:68] = vhd_sum(foot, 64)
    blocks = -(-len(data) // block)
    table_at, path_at = 3 * SECTOR, 3 * SECTOR + -(-4 * blocks // SECTOR) * SECTOR
    recorded = (".\\" + parent).encode("utf-16-le")
    head = bytearray(1024)
    head[:8] = b"cxsparse"
    struct.pack_into(">QQIII", head, 8, (1 << 64) - 1, table_at, 0x10000, blocks, block)
    head[40:56] = parent_id
    head[64:64 + 2 * len(parent)] = parent.encode("utf-16-be")
    struct.pack_into(">4sIIIQ", head, 576, b"W2ru", 1, len(recorded), 0, path_at)
    head[36:40] = vhd_sum(head, 36)
    table, body = [], b""
    start = path_at + SECTOR
    bitmap_len = -(-block // SECTOR // 8 // SECTOR) * SECTOR or SECTOR
    for b in range(0, len(data), block):
        bitmap, sectors = bytearray(bitmap_len), b""
        for k in range(0, min(block, len(data) - b), SECTOR):
            if data[b + k:][:SECTOR] != below[b + k:][:SECTOR]:
                bitmap[k // SECTOR // 8] |= 0x80 >> k // SECTOR % 8
                sectors += data[b + k:][:SECTOR]
            else:
                sectors += b"\xEE" * SECTOR  # not to be read
        if any(bitmap):
            table.append((start + len(body)) // SECTOR)
            body += bytes(bitmap) + sectors.ljust(block, b"\xEE")
        else:
            table.append(0xFFFFFFFF)
    table = struct.pack(">%dI" % blocks, *table).ljust(path_at - table_at, b"\xFF")
    write(name, bytes(foot) + bytes(head) + table + recorded.ljust(SECTOR, b"\0") + body + bytes(foot))


convert(oldest, "parent.vhd", "vpc", "subformat=dynamic,force_size=on")
vhd_differencing("middle.vhd", old, oldest, "parent.vhd", 128 << 10)
vhd_differencing("child.vhd", raw, old, "middle.vhd", 2 * MIB)


# vhdx

CRC = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
    CRC.append(n)


def crc32c(b, at):
    """of b, whose four bytes at at count as zeros"""
    c = 0xFFFFFFFF
    for x in bytes(b[:at]) + bytes(4) + bytes(b[at + 4:]):
        c = c >> 8 ^ CRC[(c ^ x) & 0xFF]
    return struct.pack("<I", c ^ 0xFFFFFFFF)


def guid(s):
    return uuid.UUID(s).bytes_le


def vhdx_headers(f, log_guid):
    """gives both headers of f this log GUID, and returns where the log is"""
    for at in (64 << 10, 128 << 10):
        h = f[at:at + 4096]
        h[48:64] = log_guid
        h[4:8] = crc32c(h, 4)
        f[at:at + 4096] = h
    length, at = struct.unpack_from("<IQ", f, (64 << 10) + 68)
    return at, length


def vhdx_region(f, wanted):
    for i in range(struct.unpack_from("<I", f, (192 << 10) + 8)[0]):
        e = (192 << 10) + 16 + 32 * i
        if bytes(f[e:e + 16]) == guid(wanted):
            return struct.unpack_from("<QI", f, e + 16)


BAT = "2DC27766-F623-4200-9D64-115E9BFD4A08"
METADATA = "8B7CA206-4790-4B9A-B8FE-575F050F886E"


def vhdx_write_guid(f):
    first = struct.unpack_from("<Q", f, (64 << 10) + 8)[0] > struct.unpack_from("<Q", f, (128 << 10) + 8)[0]
    at = (64 if first else 128) << 10
    return uuid.UUID(bytes_le=bytes(f[at + 32:at + 48]))


def vhdx_differencing(name, data, below, parent):
    """An empty vhdx of qemu's, with a parent and what differs from it."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "vhdx", "-o", "block_size=1M", path(name), str(len(data))], check=True)
    f = bytearray(read(name))
    f += bytes(-len(f) % MIB)
    meta = vhdx_region(f, METADATA)[0]
    for i in range(struct.unpack_from("<H", f, meta + 10)[0]):
        e = meta + 32 + 32 * i
        if bytes(f[e:e + 16]) == guid("CAA16737-FA36-4D43-B3B6-33F0AA44E76B"):
            at = meta + struct.unpack_from("<I", f, e + 16)[0]
            struct.pack_into("<I", f, at + 4, 2)
    # The locator, as one more item of the metadata
    pairs = [("parent_linkage", "{%s}" % vhdx_write_guid(read(parent))),
             ("relative_path", ".\\" + parent),
             ("absolute_win32_path", "\\\\?\\C:\\disks\\" + parent)]
    locator = bytearray(guid("B04AEFB7-D19E-4A81-B789-25B8E9445913") + struct.pack("<HH", 0, len(pairs)))
    strings, text_at = b"", 20 + 12 * len(pairs)
    for k, v in pairs:
        k, v = k.encode("utf-16-le"), v.encode("utf-16-le")
        locator += struct.pack("<IIHH", text_at + len(strings), text_at + len(strings) + len(k), len(k), len(v))
        strings += k + v
    locator += strings
    n = struct.unpack_from("<H", f, meta + 10)[0]
    e = meta + 32 + 32 * n
    f[e:e + 16] = guid("A8D35F2D-B30B-454D-ABF7-D3D84834AB0C")
    struct.pack_into("<III", f, e + 16, 512 << 10, len(locator), 4)
    struct.pack_into("<H", f, meta + 10, n + 1)
    f[meta + (512 << 10):meta + (512 << 10) + len(locator)] = locator
    # Blocks: absent, zero, whole and in part
    bat = vhdx_region(f, BAT)[0]
    bitmaps = bytearray(MIB)
    partly = False
    for i, b in enumerate(range(0, len(data), MIB)):
        new, was = data[b:b + MIB], below[b:b + MIB]
        differ = [k for k in range(0, MIB, SECTOR) if new[k:k + SECTOR] != was[k:k + SECTOR]]
        if not differ:
            state = 0
        elif not any(new):
            state = 2
        elif len(differ) > 100:
            state = len(f) | 6
            f += new
        else:
            state, partly = len(f) | 7, True
            body = bytearray(b"\xEE" * MIB)
            for k in differ:
                body[k:k + SECTOR] = new[k:k + SECTOR]
                s = (b + k) // SECTOR
                bitmaps[s // 8] |= 1 << s % 8
            f += body
        struct.pack_into("<Q", f, bat + 8 * i, state)
    if partly:
        struct.pack_into("<Q", f, bat + 8 * 4096, len(f) | 6)  # behind the 4096 blocks of the chunk
        f += bitmaps
    write(name, f)


def vhdx_entry(seq, tail, log_guid, size, patches):
    """A log entry; patches are (offset, 4 KiB of data, or how many zeros)."""
    descriptors, sectors = b"", b""
    for at, what in patches:
        if isinstance(what, int):
            descriptors += struct.pack("<4sIQQQ", b"zero", 0, what, at, seq)
        else:
            descriptors += b"desc" + what[-4:] + what[:8] + struct.pack("<QQ", at, seq)
            sectors += b"data" + struct.pack("<I", seq >> 32) + what[8:-4] + struct.pack("<I", seq & 0xFFFFFFFF)
    length = 4096 + len(sectors)
    head = struct.pack("<4sIIIQII16sQQ", b"loge", 0, length, tail, seq, len(patches), 0, log_guid, size, size)
    entry = bytearray((head + descriptors).ljust(4096, b"\0") + sectors)
    entry[4:8] = crc32c(entry, 4)
    return bytes(entry)


def vhdx_with_log(name, source):
    """source, the table of whose blocks is only in the log: in its last entry's last word."""
    f = bytearray(read(source))
    log_guid = uuid.uuid5(uuid.NAMESPACE_URL, name).bytes_le
    log, length = vhdx_headers(f, log_guid)
    bat = vhdx_region(f, BAT)[0]
    table = bytes(f[bat:bat + 4096])
    wrong = bytes(range(256)) * 16
    f[bat:bat + 4096] = wrong
    size = len(f)

    def place(sector, entry):
        for k in range(0, len(entry), 4096):
            at = log + (sector * 4096 + k) % length
            f[at:at + 4096] = entry[k:k + 4096]

    # An old run of one entry, and the one in force, which goes round the end of the log. Its
    # first entry was in its place before: the tail is the second.
    first = length // 4096 - 3
    place(10, vhdx_entry(3, 10 * 4096, log_guid, size, [(bat, wrong)]))
    place(first, vhdx_entry(0x1_0000_0007, first * 4096, log_guid, size, [(bat, wrong)]))
    place(first + 1, vhdx_entry(0x1_0000_0008, (first + 1) * 4096, log_guid, size, [(bat, 8192)]))
    place(first + 2, vhdx_entry(0x1_0000_0009, (first + 1) * 4096, log_guid, size, [(bat, table), (bat + 4096, 4096)]))
    # One whose checksum is wrong
    torn = bytearray(vhdx_entry(0x1_0000_000A, (first + 1) * 4096, log_guid, size, [(bat, wrong)]))
    torn[5000] ^= 1
    place(1, torn)
    write(name, f)


convert(old, "parent.vhdx", "vhdx", "block_size=2M")
vhdx_differencing("child.vhdx", raw, old, "parent.vhdx")
vhdx_with_log("log.vhdx", "dynamic.vhdx")


# vdi

def vdi_differencing(name, data, below, parent):
    p = read(parent)
    block = MIB
    blocks = -(-len(data) // block)
    head = bytearray(p[:512])
    head[:64] = b"<<< written by hand >>>\n".ljust(64, b"\0")
    struct.pack_into("<II", head, 0x48, 400, 4)
    head[0x188:0x198] = uuid.uuid5(uuid.NAMESPACE_URL, name).bytes_le
    head[0x1A8:0x1B8] = p[0x188:0x198]
    head[0x1B8:0x1C8] = p[0x198:0x1A8]
    table, body = [], b""
    for b in range(0, len(data), block):
        new, was = data[b:b + block], below[b:b + block]
        if new == was:
            table.append(0xFFFFFFFF)
        elif not any(new):
            table.append(0xFFFFFFFE)
        else:
            table.append(len(body) // block)
            body += new
    struct.pack_into("<I", head, 0x184, len(body) // block)
    at, data_at = struct.unpack_from("<II", head, 0x154)
    f = bytes(head).ljust(at, b"\0") + struct.pack("<%dI" % blocks, *table)
    write(name, f.ljust(data_at, b"\0") + body)


convert(old, "parent.vdi", "vdi", "static=off")
vdi_differencing("child.vdi", raw, old, "parent.vdi")
