"""A registry on a free port of the loopback address, with one image in it."""

import contextlib
import os
import socket
import subprocess
import time

from layout import TAG

START_SECONDS = 20


@contextlib.contextmanager
def serving(parent, image):
    """Starts docker-registry, pushes the image, and gives its reference."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = os.path.join(parent, "registry.yml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(
            f"version: 0.1\nlog: {{level: error}}\nhttp: {{addr: '{address}'}}\n"
            f"storage: {{filesystem: {{rootdirectory: {parent}/registry}}}}\n"
        )
    server = subprocess.Popen(["docker-registry", "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait(server, address)
        reference = f"docker://{address}/bench:{TAG}"
        push = ["skopeo", "copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false", f"oci:{image.layout}:{TAG}", reference]
        subprocess.run(push, check=True)
        yield reference
    finally:
        server.kill()
        server.wait()


def wait(server, address):
    """Waits until the server listens."""
    host, port = address.split(":")
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port))):
            return
        if server.poll() is not None or time.monotonic() > deadline:
            raise OSError(f"docker-registry does not listen on {address}")
        time.sleep(0.02)
