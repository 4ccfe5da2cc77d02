"""Tar streams of layers that are the same on every machine: headers by hand, content from a generator with a fixed seed."""

import random
import struct

RECORD = 512
# A tar ends with two records of zeros.
END = bytes(2 * RECORD)
FILE, DIRECTORY = b"0", b"5"


def number(size):
    """A size: octal, or as GNU writes what that has no room for."""
    return b"%011o" % size if size < 8**11 else b"\x80" + size.to_bytes(11, "big")


def header(name, size=0, kind=FILE):
    """The ustar header of a member of root's, changed last in 2020."""
    mode = 0o755 if kind == DIRECTORY else 0o644
    fields = struct.pack(
        "100s8s8s8s12s12s8ss100s8s32s32s183x",
        name.encode(),
        b"%07o" % mode,
        b"%07o" % 0,
        b"%07o" % 0,
        number(size),
        b"%011o" % 1_577_836_800,
        b" " * 8,
        kind,
        b"",
        b"ustar\x0000",
        b"root",
        b"root",
    )
    # The sum counts its own field as blanks.
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]


def member(name, content):
    """A regular file."""
    return header(name, len(content)) + content + bytes(-len(content) % RECORD)


class Text:
    """Pieces of content that gzip halves, as it does with most of what images hold."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.pool = self.random.randbytes(1 << 19).hex().encode()

    def piece(self, size):
        """So many bytes; `size` is at most 1 MiB."""
        start = self.random.randrange(len(self.pool) - size + 1)
        return self.pool[start : start + size]


def small_files(count, most=3000, first=0):
    """One layer of `count` files of up to `most` bytes, a hundred in each directory."""
    text = Text(f"small files from {first}")
    for number in range(first, first + count):
        directory = f"files/{number // 10_000:03}/{number // 100 % 100:02}"
        if number % 10_000 == 0:
            yield header(f"files/{number // 10_000:03}/", kind=DIRECTORY)
        if number % 100 == 0:
            yield header(f"{directory}/", kind=DIRECTORY)
        yield member(f"{directory}/file-{number}", text.piece(text.random.randrange(most + 1)))
    yield END


def incompressible(size):
    """One layer with one file of random bytes."""
    generator = random.Random("incompressible")
    yield header("random", size)
    for _ in range(size >> 20):
        yield generator.randbytes(1 << 20)
    yield END


def repeated(size):
    """One layer with one file, as the bytes before, a piece, how often it comes, and the bytes after. No block of it is empty, and
    gzip makes a twentieth of it."""
    generator = random.Random("repeated")
    piece = b"".join(generator.randbytes(128) * 32 for _ in range(256))
    return header("repeated", size), piece, size // len(piece), END


def deletions(layers, files):
    """Layers of `files` files each; all but the first delete four fifths of the files of the one below."""
    for number in range(layers):
        yield deleting_layer(number, files)


def deleting_layer(number, files):
    """What layer `number` of `deletions` holds."""
    text = Text(f"deletions {number}")
    yield header(f"layer-{number}/", kind=DIRECTORY)
    for index in range(files):
        yield member(f"layer-{number}/file-{index}", text.piece(text.random.randrange(16_384)))
        if number > 0 and index % 5:
            yield member(f"layer-{number - 1}/.wh.file-{index}", b"")
    yield END
