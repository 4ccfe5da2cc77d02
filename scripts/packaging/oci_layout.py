"""Writes OCI layouts, in which the same content has the same bytes."""

import datetime
import hashlib
import json

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
REF_NAME = "org.opencontainers.image.ref.name"


def timestamp(seconds):
    """A time as images have it."""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def digest(stream):
    """The digest of what is left of a stream."""
    hashed = hashlib.sha256()
    while piece := stream.read(1 << 20):
        hashed.update(piece)
    return f"sha256:{hashed.hexdigest()}"


class Layout:
    """An OCI layout in a directory that is not there yet."""

    def __init__(self, directory):
        self.directory = directory
        self.blobs = directory / "blobs/sha256"
        self.blobs.mkdir(parents=True)
        (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def take(self, path, media_type):
        """Moves a file to its place among the blobs."""
        with path.open("rb") as file:
            name = digest(file)
        size = path.stat().st_size
        path.rename(self.blobs / name.partition(":")[2])
        return {"mediaType": media_type, "digest": name, "size": size}

    def document(self, content, media_type):
        path = self.blobs / "new"
        path.write_text(_json(content))
        return self.take(path, media_type)

    def image(self, config, layers, annotations):
        """Writes a config and the manifest of it and of layers; the descriptor has the config's platform."""
        config_descriptor = self.document(config, CONFIG)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config_descriptor,
            "layers": layers,
            "annotations": annotations,
        }
        platform = {"architecture": config["architecture"], "os": config["os"]}
        return {**self.document(manifest, MANIFEST), "platform": platform}

    def index(self, manifests):
        """Writes an index among the blobs, such as that of an image for several platforms."""
        return self.document(_index(manifests), INDEX)

    def name(self, descriptor, name):
        """Makes this the layout's only image, and gives it a name."""
        named = {**descriptor, "annotations": {REF_NAME: name}}
        (self.directory / "index.json").write_text(_json(_index([named])))


def _index(manifests):
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}


def _json(content):
    return json.dumps(content, sort_keys=True, separators=(",", ":"))
