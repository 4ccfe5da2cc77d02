"""Runs commands in turn and takes their times."""

import dataclasses
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Callable


@dataclasses.dataclass
class Way:
    """One way to do a thing."""

    name: str
    command: list
    # What is done before each run and not measured.
    before: Callable[[], None] = lambda: None
    seconds: list = dataclasses.field(default_factory=list)
    # Time of all processors, the command's children included.
    processor: list = dataclasses.field(default_factory=list)
    # Bytes of the largest of its processes.
    peak: int = 0
    # Whether what it prints is kept: a report, and not what a decompressor unpacks.
    reports: bool = False
    printed: bytes = b""

    @property
    def median(self):
        """The median of its wall clock times, in seconds."""
        return statistics.median(self.seconds)


class Failed(Exception):
    """A command that ended with an error."""


def in_turn(ways, runs):
    """Runs each way once, for its peak of memory and to fill the page cache, and then all of them in turn, `runs` times."""
    for way in ways:
        way.before()
        take_peak(way)
    for number in range(runs):
        # Nobody is always the one that comes after the same other.
        shift = number % len(ways)
        for way in ways[shift:] + ways[:shift]:
            way.before()
            measure(way)
            print(f"  {way.name}: {way.seconds[-1]:.3f} s", file=sys.stderr)


def measure(way):
    """One run."""
    with tempfile.TemporaryFile() as errors:
        actions = [
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, errors.fileno(), 2),
        ]
        begin = time.perf_counter()
        child = os.posix_spawnp(way.command[0], way.command, os.environ, file_actions=actions)
        try:
            _, status, usage = os.wait4(child, 0)
        except BaseException:
            os.kill(child, signal.SIGKILL)
            raise
        seconds = time.perf_counter() - begin
        if status:
            errors.seek(0)
            raise Failed(f"{way.name}: {errors.read().decode(errors='replace')}")
    way.seconds.append(seconds)
    way.processor.append(usage.ru_utime + usage.ru_stime)


def take_peak(way):
    """One more run, for the peak of resident memory. Python's own would count in a child that it starts itself."""
    with tempfile.NamedTemporaryFile("r") as file:
        command = ["/usr/bin/time", "--quiet", "--format", "%M", "--output", file.name, *way.command]
        output = subprocess.PIPE if way.reports else subprocess.DEVNULL
        result = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, check=False)
        if result.returncode:
            raise Failed(f"{way.name}: {result.stderr.decode(errors='replace')}")
        way.peak, way.printed = int(file.read().split()[-1]) << 10, result.stdout
