#!/usr/bin/env python3
"""Makes the images of deleted files, each for one way of getting them back.

    testdata/undelete/make.py [NAME...]

remakes the named cases, or all of them. It takes root, loop mounts and e2fsprogs 1.47.

Each folder gets deleted.gz, the image; mkfs.txt, what made it; and gone.json, what went:
one JSON object a line with its path, inode, kind, size, the SHA-256 of its contents as
they were read just before, its target, and how it went.
"""

import gzip
import hashlib
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = {}


def case(size, *mkfs, mount='noatime', fstype='ext4'):
    """Declares a case: a function that is given a Disk."""
    def enter(make):
        CASES[make.__name__.replace('_', '-')] = (make, size, mkfs, mount, fstype)
        return make
    return enter


def text(label, size):
    """Contents that compress well, and differ from block to block and from file to file."""
    parts = [(f'{label}, part {i}\n' * 64)[:512] for i in range(size // 512 + 1)]
    return ''.join(parts).encode()[:size]


class Disk:
    def __init__(self, name, size, mkfs, options, fstype, work):
        self.name, self.options, self.fstype = name, options, fstype
        self.image, self.mnt = os.path.join(work, 'image'), os.path.join(work, 'mnt')
        self.copy = None
        self.gone, self.log, self.mounted = [], [], False
        os.makedirs(self.mnt, exist_ok=True)
        if os.path.exists(self.image):
            os.remove(self.image)
        number = list(CASES).index(name)
        self.tool('truncate', '-s', str(size), self.image)
        self.tool('mke2fs', '-q', '-F', '-m', '0', '-U', f'de{number:06x}-5a1e-4b0d-9c3f-756e64656c65', '-E', f'lazy_itable_init=0,lazy_journal_init=0,hash_seed=5eed{number:04x}-5a1e-4b0d-9c3f-756e64656c65', *mkfs, self.image)

    def tool(self, *args):
        self.log.append(' '.join(args).replace(self.image, 'image'))
        return subprocess.run(args, check=True, capture_output=True, text=True).stdout

    def debugfs(self, *requests):
        for r in requests:
            self.log.append(f'debugfs -w -R "{r}" image')
            subprocess.run(['debugfs', '-w', '-R', r, self.image], check=True, capture_output=True)

    def mount(self):
        self.log.append(f'mount -t {self.fstype} -o {self.options} image')
        subprocess.run(['mount', '-t', self.fstype, '-o', 'loop,' + self.options, self.image, self.mnt], check=True)
        self.mounted = True

    def umount(self):
        self.log.append('umount')
        subprocess.run(['umount', self.mnt], check=True)
        self.mounted = False

    def remount(self):
        self.umount()
        time.sleep(1.1)  # so that mount times tell what was before
        self.mount()

    def path(self, name):
        return os.path.join(self.mnt, name.lstrip('/'))

    def sync(self):
        self.log.append('sync')
        subprocess.run(['sync', '-f', self.mnt], check=True)

    def put(self, name, size, flush=False):
        """A file, written at once."""
        self.write(name, text(name, size), flush)

    def write(self, name, data, flush=False):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), 'wb') as f:
            f.write(data)
            if flush:
                f.flush()
                os.fsync(f.fileno())

    def comb(self, names, blocks, bs):
        """Files whose blocks alternate, so that each block is an extent of its own."""
        files = []
        for n in names:
            os.makedirs(os.path.dirname(self.path(n)), exist_ok=True)
            files.append(open(self.path(n), 'wb', buffering=0))
        for i in range(blocks):
            for n, f in zip(names, files):
                f.write(text(f'{n} block {i}', bs))
                os.fdatasync(f.fileno())
        for f in files:
            f.close()

    def note(self, name, how):
        """Notes what is about to go."""
        p = self.path(name)
        st = os.lstat(p)
        one = {'path': '/' + name.lstrip('/'), 'inode': st.st_ino, 'how': how}
        if os.path.islink(p):
            one.update(kind='symlink', target=os.readlink(p))
        elif os.path.isdir(p):
            one.update(kind='directory')
        elif os.path.isfile(p):
            with open(p, 'rb') as f:
                data = f.read()
            one.update(kind='file', size=len(data), sha256=hashlib.sha256(data).hexdigest())
        else:
            one.update(kind='special')
        self.gone.append(one)

    def rm(self, *names, how='unlink'):
        for name in names:
            self.note(name, how)
            os.rmdir(self.path(name)) if os.path.isdir(self.path(name)) else os.remove(self.path(name))

    def rmtree(self, name):
        for top, dirs, files in os.walk(self.path(name)):
            for n in sorted(files + dirs):
                self.note(os.path.relpath(os.path.join(top, n), self.mnt), 'tree')
        self.note(name, 'tree')
        shutil.rmtree(self.path(name))

    def cut(self):
        """Takes the image as it is now, while it is mounted."""
        self.log.append('the image is copied while it is mounted')
        self.copy = self.image + '.cut'
        subprocess.run(['cp', '--sparse=always', self.image, self.copy], check=True)

    def zero_log(self):
        """Writes zeros over the journal, but for its superblock."""
        blocks = self.tool('debugfs', '-R', 'blocks <8>', self.image).split()
        bs = int(next(l for l in self.tool('dumpe2fs', '-h', self.image).splitlines() if l.startswith('Block size')).split()[-1])
        self.log.append('zeros over the blocks of inode 8, but the first')
        with open(self.image, 'r+b') as f:
            for b in blocks[1:]:
                f.seek(int(b) * bs)
                if struct.unpack('<H', f.read(2))[0] == 0xf30a:
                    continue  # a node of the journal's own map
                f.seek(int(b) * bs)
                f.write(bytes(bs))

    def churn(self, count, folder='spool'):
        """Small commits until the log has been written over."""
        os.makedirs(self.path(folder), exist_ok=True)
        for i in range(count):
            name = f'{folder}/turn{i % 4}'
            self.write(name, b'%d\n' % i, flush=True)

    def pack(self):
        folder = os.path.join(HERE, self.name)
        os.makedirs(folder, exist_ok=True)
        with open(self.copy or self.image, 'rb') as f, open(os.path.join(folder, 'deleted.gz'), 'wb') as out:
            with gzip.GzipFile(fileobj=out, mode='wb', compresslevel=9, mtime=0, filename='') as z:
                shutil.copyfileobj(f, z)
        with open(os.path.join(folder, 'gone.json'), 'w') as f:
            for one in self.gone:
                print(json.dumps(one), file=f)
        with open(os.path.join(folder, 'mkfs.txt'), 'w') as f:
            print('\n'.join(self.log), file=f)
        print(f'{self.name}: {os.path.getsize(os.path.join(folder, "deleted.gz"))} bytes, {len(self.gone)} gone')


JOURNAL = ('-b', '1024', '-N', '256', '-J', 'size=1')
BARE = ('-b', '1024', '-N', '256', '-O', '^has_journal')


def usual(d):
    """A few files of each kind."""
    d.put('docs/letter', 700)
    d.put('docs/report', 5000)
    d.put('docs/deep/large', 90000)
    os.symlink('report', d.path('docs/short'))
    os.symlink('a/' * 50 + 'report', d.path('docs/long'))
    os.mkfifo(d.path('docs/pipe'))
    with open(d.path('docs/sparse'), 'wb') as f:
        f.write(text('sparse head', 1500))
        f.seek(30000)
        f.write(text('sparse tail', 1500))
    d.put('stays', 3000)


# R0: a transaction in the log deletes what is still there at home.
@case('4M', '-t', 'ext4', *JOURNAL)
def pending(d):
    d.mount()
    usual(d)
    d.remount()
    d.rm('docs/letter', 'docs/report', 'docs/deep/large', 'docs/sparse')
    d.sync()
    d.cut()


# R1: deleted while open, on the list and in the orphan file.
def opened(d):
    d.mount()
    d.put('var/log', 20000)
    d.put('var/small', 300)
    d.remount()
    files = [open(d.path(n), 'rb') for n in ('var/log', 'var/small')]
    d.rm('var/log', 'var/small', how='open')
    d.sync()
    d.cut()
    for f in files:
        f.close()


@case('4M', '-t', 'ext4', *JOURNAL)
def orphans(d):
    opened(d)


@case('4M', '-t', 'ext4', *JOURNAL, '-O', 'orphan_file')
def orphan_file(d):
    opened(d)


# R2: the inode itself has it still.
@case('2M', '-t', 'ext4', '-b', '1024', '-N', '128', '-I', '512', '-O', 'inline_data,^has_journal')
def inline(d):
    d.mount()
    d.put('keys/one', 100)
    d.put('keys/two', 300)
    os.mkfifo(d.path('keys/pipe'))
    d.remount()
    d.rm('keys/one', 'keys/two', 'keys/pipe')
    d.umount()


@case('2M', '-t', 'ext4', *BARE)
def debugfs_rm(d):
    d.mount()
    usual(d)
    for name in ('docs/letter', 'docs/report', 'docs/deep/large', 'docs/sparse', 'docs/short'):
        d.note(name, 'debugfs')
    d.umount()
    d.debugfs(*(f'rm {one["path"]}' for one in d.gone))


# R3: copies of inodes in the journal.
def remount_delete(d):
    d.mount()
    usual(d)
    d.remount()
    d.rm('docs/letter', 'docs/report', 'docs/sparse', 'docs/short', 'docs/long', 'docs/pipe', 'docs/deep/large', 'docs/deep')
    d.umount()


@case('4M', '-t', 'ext4', *JOURNAL)
def journal(d):
    remount_delete(d)


@case('4M', '-t', 'ext3', *JOURNAL, fstype='ext3')
def journal_ext3(d):
    remount_delete(d)


@case('4M', '-t', 'ext4', *JOURNAL, '-O', '^metadata_csum,^64bit')
def journal_no_csum(d):
    remount_delete(d)


@case('8M', '-t', 'ext4', '-b', '1024', '-O', 'bigalloc', '-C', '16384', '-N', '256', '-J', 'size=1')
def journal_bigalloc(d):
    remount_delete(d)


@case('4M', '-t', 'ext4', *JOURNAL, mount='noatime,data=journal')
def data_journal(d):
    remount_delete(d)
    # Their blocks are taken by others; the log has them still.
    d.mount()
    d.write('filler', b'filler\n' * 60000)
    d.umount()


# The files are known from fast commits alone.
@case('8M', '-t', 'ext4', '-b', '1024', '-N', '256', '-O', 'fast_commit', '-J', 'size=2')
def fast_commit(d):
    d.mount()
    os.makedirs(d.path('mail'))
    d.put('mail/first', 100)
    d.sync()
    for i in range(4):
        d.put(f'mail/letter{i}', 1500 + 400 * i, flush=True)
    d.rm('mail/letter1', 'mail/letter2')
    d.umount()


# R4: names in the blocks of a directory that was removed with all below it.
@case('2M', '-t', 'ext4', *BARE)
def names(d):
    d.mount()
    for i in range(30):
        d.put(f'album/summer/picture {i:02}', 2000)
    d.put('album/index', 500)
    d.remount()
    d.rmtree('album')
    d.umount()


# R5: slots of extent trees that lead to their leaves: of one level, and of two.
@case('4M', '-t', 'ext4', *BARE)
def residue(d):
    d.mount()
    d.comb(['logs/a', 'logs/b'], 30, 1024)
    d.comb(['logs/deep', 'stays'], 400, 1024)
    d.remount()
    d.rm('logs/a', 'logs/deep')
    d.umount()


@case('4M', '-t', 'ext4', *JOURNAL)
def zeroed_log(d):
    d.mount()
    d.comb(['logs/a', 'logs/b'], 30, 1024)
    d.put('logs/plain', 9000)
    d.remount()
    d.rm('logs/a', 'logs/plain')
    d.umount()
    d.zero_log()


# R6: what a transaction freed, where no copy of the inode is left.
@case('8M', '-t', 'ext4', '-b', '1024', '-N', '512', '-J', 'size=1')
def freed_set(d):
    d.mount()
    d.put('old/victim', 30000, flush=True)
    for i in range(40):
        d.put(f'pad/{i}', 10)
    d.sync()
    d.churn(400)
    d.remount()
    d.rm('old/victim')
    d.umount()


# R7: a leaf that nothing leads to, as the slots are gone too.
@case('2M', '-t', 'ext4', *BARE)
def stray_leaf(d):
    d.mount()
    d.comb(['logs/a', 'stays'], 30, 1024)
    d.remount()
    d.rm('logs/a')
    d.umount()
    d.debugfs(*(f'sif <{d.gone[0]["inode"]}> block[{i}] 0' for i in range(3, 15)))


# R8: the indirect blocks of ext2 and ext3.
@case('2M', '-t', 'ext2', '-b', '1024', '-N', '128', fstype='ext2')
def indirect(d):
    d.mount()
    d.put('one', 13 * 1024 - 100)
    d.put('between', 40000)
    d.put('two', 350 * 1024 + 10)
    d.put('last', 3000)
    d.remount()
    d.rm('one', 'two')
    d.umount()


# R9: leaves of an indexed directory, without checksums, by the hashes of names.
@case('2M', '-t', 'ext4', *BARE, '-O', '^has_journal,^metadata_csum', '-N', '512')
def hash_range(d):
    d.mount()
    for i in range(150):
        d.put(f'above/many/a file of some name {i:03}', 1)
    d.remount()
    d.rmtree('above')
    d.umount()


# R10: what files that live held before.
@case('4M', '-t', 'ext4', *JOURNAL)
def versions(d):
    d.mount()
    for name in ('cut', 'saved', 'rewritten'):
        d.put(f'drafts/{name}', 6000)
    d.remount()
    d.note('drafts/cut', 'truncate')
    os.truncate(d.path('drafts/cut'), 0)
    d.note('drafts/saved', 'rename over')
    d.write('drafts/saved.new', text('a later version', 6500), flush=True)
    os.rename(d.path('drafts/saved.new'), d.path('drafts/saved'))
    d.note('drafts/rewritten', 'rewrite')
    d.write('drafts/rewritten', text('written anew', 2000), flush=True)
    d.umount()


def png(width, height):
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    rng = random.Random(7)
    rows = b''.join(b'\0' + bytes(rng.randrange(4) * 60 for _ in range(width)) for _ in range(height))
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)) + chunk(b'IDAT', zlib.compress(rows, 9)) + chunk(b'IEND', b'')


# R12: nothing but the contents is left.
@case('2M', '-t', 'ext4', *BARE)
def carve(d):
    d.mount()
    d.write('pictures/view.png', png(100, 90))
    d.write('texts/all.gz', gzip.compress(text('packed', 60000), mtime=0))
    d.put('stays', 3000)
    d.remount()
    d.rm('pictures/view.png', 'texts/all.gz')
    d.umount()


# Files in a few pieces each, and no journal.
@case('4M', '-t', 'ext4', *BARE)
def fragments(d):
    d.mount()
    for n in (2, 3, 4, 6, 12):
        d.comb([f'parts/of{n}', f'parts/stays{n}'], n, 4096)
    d.remount()
    d.rm(*(f'parts/of{n}' for n in (2, 3, 4, 6, 12)))
    d.umount()


# Files of several names: all of them go, or all but one; one that was renamed before.
@case('4M', '-t', 'ext4', *JOURNAL)
def hard_links(d):
    d.mount()
    d.put('daily/one', 3000)
    d.put('daily/two', 5000)
    d.put('daily/three', 700)
    d.put('old name', 900)
    d.put('stays', 800)
    os.makedirs(d.path('weekly/deep'))
    for old, new in (('daily/one', 'weekly/first'), ('daily/one', 'weekly/deep/uno'), ('daily/two', 'weekly/two'), ('stays', 'weekly/copy')):
        os.link(d.path(old), d.path(new))
    d.remount()
    os.rename(d.path('old name'), d.path('daily/new name'))
    d.sync()
    d.rmtree('daily')
    d.rmtree('weekly')
    d.umount()


# The file system grew since: the inode tables of the new groups, which nothing was written
# to yet, lie where the file was.
@case('8M', '-t', 'ext4', '-b', '1024', '-N', '512', '-J', 'size=1')
def grown(d):
    d.mount()
    d.put('fill', 5 << 20)
    d.put('logs/a', 60000)
    d.put('logs/b', 3000)
    d.remount()
    d.rm('logs/a', 'logs/b')
    d.umount()
    d.tool('truncate', '-s', '60M', d.image)
    d.tool('resize2fs', '-f', d.image)


def main():
    os.environ.update(PATH=os.environ['PATH'] + ':/usr/sbin:/sbin', LC_ALL='C', TZ='UTC')
    os.umask(0o022)
    unknown = set(sys.argv[1:]) - set(CASES)
    if unknown:
        sys.exit(f'no such case: {" ".join(unknown)}')
    for name in sys.argv[1:] or CASES:
        make, size, mkfs, options, fstype = CASES[name]
        with tempfile.TemporaryDirectory() as work:
            d = Disk(name, size, mkfs, options, fstype, work)
            try:
                make(d)
            finally:
                if d.mounted:
                    d.umount()
            d.pack()


main()
