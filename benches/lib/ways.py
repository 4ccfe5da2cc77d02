"""The ways to make a file system that are timed: nex's, other people's, and what nobody can be faster than."""

import itertools
import json
import os
import shutil
import subprocess

import images
from measure import Way

PEERS = os.path.join(images.ROOT, "benches", "peers")
OCI2ROOTFS = os.path.join(images.ROOT, "benches", "oci2rootfs")


def layers(way):
    """The layers in the report that a cold build has printed."""
    return json.loads(way.printed)["image"]["layers"]


class Ways:
    """Makes ways that work in one directory: what a way writes is removed before the next run."""

    def __init__(self, nex, agent, work):
        self.nex, self.agent, self.work = nex, agent, work
        self.output = os.path.join(work, "out.ext4")
        self.scratch = os.path.join(work, "scratch")
        self.new_agent = os.path.join(work, "agent")
        self.agents = itertools.count(1)

    def clean(self):
        """Removes what the last run wrote."""
        for path in (self.output, self.scratch):
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.exists(path):
                os.remove(path)
        os.mkdir(self.scratch)

    def change_agent(self, more=0):
        """Makes an agent that no run has had, longer than the one before by `more` bytes; an ELF file may end in anything."""
        number = next(self.agents)
        shutil.copyfile(self.agent, self.new_agent)
        with open(self.new_agent, "ab") as file:
            file.write(b"%08d" % number + b"x" * (number * more))

    def clean_and_change_agent(self):
        """Both of these."""
        self.clean()
        self.change_agent()

    def build(self, image, reference=None, output=None, agent=None, cache=None):
        """The command of a build."""
        command = [self.nex, "rootfs", "--quiet", "--agent", agent or self.agent, "--image", reference or image.reference]
        command += ["--size", str(image.size), "--output", output or self.output]
        return command + (["--cache-dir", cache] if cache else ["--no-cache"])

    def cold(self, image):
        """A build that has nothing but the image; it prints its report."""
        return Way("nex rootfs", [*self.build(image), "--format", "json"], self.clean, reports=True)

    def pulled(self, image, reference):
        """The same, from a registry."""
        return Way("nex rootfs, from a registry", [*self.build(image, reference), "--plain-http"], self.clean)

    def warm(self, image, place):
        """A build with a new agent; the cache in `place` has the image's layers. The cache and the output are there."""
        cache, output = os.path.join(place, "cache"), os.path.join(place, "out.ext4")
        fill = self.build(image, output=output, cache=cache)
        subprocess.run(fill, check=True, stdout=subprocess.DEVNULL)

        def before():
            self.clean_and_change_agent()
            if os.path.exists(output):
                os.remove(output)
            # What the removal leaves to be done later is not the next build's.
            subprocess.run(["sync", "--file-system", place], check=True)

        return Way("nex rootfs, warm, new agent", self.build(image, output=output, agent=self.new_agent, cache=cache), before)

    def copy(self, built):
        """A copy of a built image."""
        return Way("cp --sparse=always", ["cp", "--sparse=always", built, self.output], self.clean)

    def set_agent(self, built):
        """A new agent of the old one's length."""
        return Way("nex rootfs set-agent", [self.nex, "rootfs", "set-agent", built, self.new_agent], self.change_agent)

    def set_agent_growing(self, built):
        """A new agent, 1 MiB longer than the one before."""
        before = lambda: self.change_agent(1 << 20)
        return Way("nex rootfs set-agent, growing", [self.nex, "rootfs", "set-agent", built, self.new_agent], before)

    def gunzip(self, image):
        """Nothing but the decompression, by the fastest program that Debian has for it."""
        return Way("libdeflate-gunzip", ["libdeflate-gunzip", "-c", *image.blobs])

    def unzstd(self, image):
        """Nothing but the decompression."""
        return Way("zstd -dc", ["zstd", "-dcq", *image.blobs])

    def untar(self, image):
        """The layer, unpacked; the directory is in memory."""
        return Way("tar -x", ["tar", "-xzf", image.blobs[0], "-C", self.scratch], self.clean)

    def oci2rootfs(self, image):
        """The crate of that name."""
        program = os.path.join(OCI2ROOTFS, "target", "release", "bench-oci2rootfs")
        return Way("oci2rootfs 0.3", [program, image.layout, self.output, str(image.size)], self.clean)

    def peer(self, name, script, image):
        """A script of benches/peers."""
        arguments = [image.layout, image.blobs[0], self.output, str(image.size), self.scratch]
        # What a script mounts goes with it, even when it is killed.
        return Way(name, ["unshare", "--mount", os.path.join(PEERS, script), *arguments], self.clean)

    def peers(self, image):
        """What people do today."""
        return [
            self.peer("loop mount, tar, resize2fs -M", "loop-mount", image),
            self.peer("tar -x, mke2fs -d", "tar-mke2fs", image),
            self.peer("umoci unpack, mke2fs -d", "umoci-mke2fs", image),
        ]
