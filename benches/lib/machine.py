"""What a table says about where it was made."""

import os
import re
import shutil
import subprocess
import sys
import time

# What stands before a program's version in what it prints.
VERSIONS = {
    "libdeflate-gunzip": ["-V"],
    "zstd": ["--version"],
    "umoci": ["--version"],
    "mke2fs": ["-V"],
    "tar": ["--version"],
    "docker-registry": ["--version"],
}


def version(program, *arguments):
    """The first thing that looks like a version in what a program prints."""
    result = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    found = re.search(r"\d+(\.\d+)+", result.stdout)
    return found.group() if found else "?"


def versions():
    """The versions of the peers that are here."""
    return ", ".join(f"{name} {version(name, *flags)}" for name, flags in VERSIONS.items() if shutil.which(name))


def describe(nex):
    """One line: processors, kernel, date, nex, and how busy the machine was with other things."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"^model name\s*: (.*)$", file.read(), re.MULTILINE)
    return (
        f"{os.cpu_count()} processors ({model.group(1) if model else os.uname().machine}), Linux {os.uname().release}, "
        f"{time.strftime('%Y-%m-%d')}, nex {version(nex, '--version')}; load before the run {os.getloadavg()[0]:.1f}."
    )


def need(programs, who):
    """Ends the program when one of these is missing; `programs` maps each to its Debian package."""
    missing = [package for program, package in programs.items() if not shutil.which(program)]
    if missing:
        sys.exit(f"{who}: programs are missing; on Debian: apt-get install {' '.join(missing)}")
