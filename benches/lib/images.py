"""The benchmark's images: made once, kept in target/bench-images, the same on every machine (but for Debian's, which are as
mmdebstrap finds Debian on the day)."""

import dataclasses
import os
import shutil
import subprocess
import tempfile

import layers
from layout import Layout, layer_blobs

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KEPT = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "bench-images")
# Where the project's own copy of Alpine's root filesystem is, for who has it.
CORPUS = os.path.join(ROOT, "..", "shared", "corpus", "alpine-minirootfs-3.20.3-x86_64.tar.gz")

GIB = 1 << 30


@dataclasses.dataclass
class Image:
    """A layout on the disk."""

    name: str
    title: str
    layout: str
    # The bytes of the file system that is made of it.
    size: int

    @property
    def reference(self):
        """What `--image` takes."""
        return f"oci:{self.layout}"

    @property
    def blobs(self):
        """Its layers' files, the lowest first."""
        return layer_blobs(self.layout)


def kept(name, make, parent=KEPT):
    """The directory of that name; `make` fills a layout, which gets the name when it is whole."""
    target = os.path.join(parent, name)
    if not os.path.exists(target):
        os.makedirs(parent, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="making-", dir=parent) as unfinished:
            layout = Layout(os.path.join(unfinished, name))
            make(layout)
            layout.finish()
            os.rename(layout.directory, target)
    return target


def alpine(file):
    """Alpine's root filesystem as Alpine compressed it."""
    digits = os.path.basename(file)
    layout = kept(f"alpine-{digits}", lambda layout: layout.add_copy(file, "gzip"))
    return Image("alpine", "Alpine", layout, 150 << 20)


def debian(kind, compression, size):
    """Debian as mmdebstrap makes it, in one layer; the tests have and keep the same."""
    command = ["cargo", "run", "--quiet", "--locked", "--package", "nex-testkit", "--bin", "test-images", "--", kind]
    printed = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.split("\n")
    source = printed[1 if compression == "gzip" else 2]
    layout = kept(f"debian-{kind}-{compression}", lambda layout: layout.add_copy(layer_blobs(source)[0], compression))
    return Image(f"{kind}-{compression}", f"Debian {kind}, {compression}", layout, size)


def small_files(count, parts=1, most=3000, parent=KEPT):
    """Very many files, in one layer or in some of equal size."""

    def make(layout):
        for part in range(parts):
            layout.gzip_layer(layers.small_files(count // parts, most, part * (count // parts)))

    layout = kept(f"files-{count}-{most}-{parts}", make, parent)
    return Image("files", f"{count:,} small files", layout, max(count * 10_240, 64 << 20))


def incompressible(size, parent=KEPT):
    """A file that no compressor makes smaller; level 0 is what they all fall back to."""
    layout = kept(f"random-{size}", lambda layout: layout.gzip_layer(layers.incompressible(size), level=0), parent)
    return Image("random", f"one incompressible file of {size >> 20:,} MiB", layout, size + size // 4 + (64 << 20))


def repeated(size, parent=KEPT):
    """A file as large as may be, of a blob that is small."""
    layout = kept(f"repeated-{size}", lambda layout: layout.repeated_gzip_layer(*layers.repeated(size)), parent)
    return Image("repeated", f"one file of {size >> 20:,} MiB", layout, size + size // 8 + (64 << 20))


def deletions(count, files, parent=KEPT):
    """Many layers, of which most of the content goes again."""

    def make(layout):
        for layer in layers.deletions(count, files):
            layout.gzip_layer(layer)

    layout = kept(f"deletions-{count}-{files}", make, parent)
    return Image("deletions", f"{count} layers with many deletions", layout, max(count * files * 16_384, 64 << 20))


def forget(image):
    """Removes an image that is too large to be kept."""
    shutil.rmtree(image.layout)
