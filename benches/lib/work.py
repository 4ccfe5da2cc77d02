"""A directory for what a benchmark writes, which goes however the program ends."""

import contextlib
import signal
import sys
import tempfile


@contextlib.contextmanager
def directory(parent):
    """Makes one under `parent`."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="nex-bench.", dir=parent) as made:
        yield made
