"""A file system whose files can share blocks: XFS in a file, on a loop device, for as long as it is needed."""

import contextlib
import os
import subprocess


@contextlib.contextmanager
def xfs(parent, size):
    """Mounts one under `parent`, and gives where; it goes however the block ends. Wants root."""
    image, mounted = os.path.join(parent, "xfs"), os.path.join(parent, "mounted")
    os.mkdir(mounted)
    with open(image, "wb") as file:
        file.truncate(size)
    try:
        run("mkfs.xfs", "-q", "-m", "reflink=1", image)
        # The loop device ends with the mount.
        run("mount", "-o", "loop", image, mounted)
        try:
            yield mounted
        finally:
            # A program that was stopped with us may still have a file open; the mount then goes when it ends.
            subprocess.run(["umount", "--lazy", mounted], check=False)
    finally:
        os.remove(image)
        os.rmdir(mounted)


def run(*command):
    """Runs a command; its message is the reason when it fails."""
    result = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        raise OSError(f"{' '.join(command)}: {result.stderr.strip()}")
