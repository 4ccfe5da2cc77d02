"""OCI image layouts, written while their layers' tar streams are made, so that no layer need be in memory."""

import gzip
import hashlib
import itertools
import json
import os
import shutil
import subprocess
import zlib

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
TAG = "latest"


class Hashed:
    """A file that is written, with the SHA-256 and the number of its bytes."""

    def __init__(self, file):
        self.file, self.sum, self.size = file, hashlib.sha256(), 0

    def write(self, data):
        self.sum.update(data)
        self.size += len(data)
        return self.file.write(data)

    def flush(self):
        self.file.flush()

    def digest(self):
        return f"sha256:{self.sum.hexdigest()}"


class Layout:
    """A layout in the making, with one image for linux/amd64."""

    def __init__(self, directory):
        self.directory = directory
        self.blobs = os.path.join(directory, "blobs", "sha256")
        self.layers, self.diff_ids = [], []
        os.makedirs(self.blobs)

    def gzip_layer(self, chunks, level=6):
        """Adds a layer of these pieces of a tar."""
        unfinished = os.path.join(self.directory, "layer")
        with open(unfinished, "wb") as file:
            blob = Hashed(file)
            with gzip.GzipFile("", "wb", level, blob, mtime=0) as compressor:
                tar = Hashed(compressor)
                for chunk in chunks:
                    tar.write(chunk)
        self.add(unfinished, blob.digest(), blob.size, "gzip", tar.digest())

    def repeated_gzip_layer(self, before, piece, count, after):
        """Adds a layer of a piece that comes again and again, in one gzip member that takes no longer to make than to write: after a
        full flush, DEFLATE depends on nothing before."""
        compressor = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)

        def flushed(data):
            return compressor.compress(data) + compressor.flush(zlib.Z_FULL_FLUSH)

        unfinished = os.path.join(self.directory, "layer")
        tar, checksum = hashlib.sha256(), 0
        with open(unfinished, "wb") as file:
            blob = Hashed(file)
            blob.write(bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF]) + flushed(before))
            compressed = flushed(piece)
            for _ in range(count):
                blob.write(compressed)
            blob.write(compressor.compress(after) + compressor.flush())
            for data in itertools.chain([before], itertools.repeat(piece, count), [after]):
                tar.update(data)
                checksum = zlib.crc32(data, checksum)
            size = len(before) + len(piece) * count + len(after)
            blob.write(checksum.to_bytes(4, "little") + (size % (1 << 32)).to_bytes(4, "little"))
        self.add(unfinished, blob.digest(), blob.size, "gzip", f"sha256:{tar.hexdigest()}")

    def add(self, path, digest, size, compression, diff_id):
        """Adds a layer whose blob is made; the file moves into the layout."""
        os.rename(path, os.path.join(self.blobs, digest.removeprefix("sha256:")))
        self.layers.append({"mediaType": f"{LAYER}+{compression}", "digest": digest, "size": size})
        self.diff_ids.append(diff_id)

    def add_copy(self, path, compression):
        """Adds a layer whose blob somebody else has made, and leaves that file alone."""
        unfinished = os.path.join(self.directory, "layer")
        shutil.copyfile(path, unfinished)
        digest = f"sha256:{sha256(unfinished)}"
        unpack = {"gzip": ["gzip", "-dc"], "zstd": ["zstd", "-dcq"]}[compression]
        with subprocess.Popen([*unpack, unfinished], stdout=subprocess.PIPE) as process:
            diff_id = f"sha256:{sha256_of(process.stdout)}"
        self.add(unfinished, digest, os.path.getsize(unfinished), compression, diff_id)

    def finish(self):
        """Writes config, manifest and index."""
        rootfs = {"type": "layers", "diff_ids": self.diff_ids}
        config = {"created": "2020-01-01T00:00:00Z", "architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": self.document(CONFIG, config), "layers": self.layers}
        entry = self.document(MANIFEST, manifest)
        entry["annotations"] = {"org.opencontainers.image.ref.name": TAG}
        entry["platform"] = {"architecture": "amd64", "os": "linux"}
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
        for name, content in {"index.json": index, "oci-layout": {"imageLayoutVersion": "1.0.0"}}.items():
            with open(os.path.join(self.directory, name), "w", encoding="ascii") as file:
                json.dump(content, file)

    def document(self, media_type, content):
        """Writes a blob of JSON, and gives its descriptor."""
        data = json.dumps(content).encode()
        digits = hashlib.sha256(data).hexdigest()
        with open(os.path.join(self.blobs, digits), "wb") as file:
            file.write(data)
        return {"mediaType": media_type, "digest": f"sha256:{digits}", "size": len(data)}


def layer_blobs(directory):
    """The paths of the layers of a layout's one image, the lowest first."""

    def read(*path):
        with open(os.path.join(directory, *path), encoding="utf-8") as file:
            return json.load(file)

    def blob(descriptor):
        return ("blobs", "sha256", descriptor["digest"].removeprefix("sha256:"))

    manifest = read(*blob(read("index.json")["manifests"][0]))
    return [os.path.join(directory, *blob(layer)) for layer in manifest["layers"]]


def sha256(path):
    """The hexadecimal digits of a file's SHA-256."""
    with open(path, "rb") as file:
        return sha256_of(file)


def sha256_of(file):
    """The same of what is left of an open file."""
    found = hashlib.sha256()
    for piece in iter(lambda: file.read(1 << 20), b""):
        found.update(piece)
    return found.hexdigest()
