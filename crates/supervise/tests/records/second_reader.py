"""Reads a guest's directory as docs/supervisor.md describes it, and prints what it finds as JSON: second_reader.py DIRECTORY

It was written from that page alone, and shares nothing with nex.
"""

import json
import pathlib
import re
import struct
import sys

MOST_OF_A_JOURNAL = 64 << 10
LONGEST_LINE = 16 << 10
MOST_DATA = 64 << 10


def crc32c(data):
    """The checksum of RFC 3720: the reflected polynomial 0x82f63b78."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def entry_of_table(number):
    for _ in range(8):
        number = (number >> 1) ^ (0x82F63B78 if number & 1 else 0)
    return number


CRC_TABLE = [entry_of_table(number) for number in range(256)]


def read_journal(directory):
    data = (directory / "journal").read_bytes()[:MOST_OF_A_JOURNAL]
    lines, damaged = [], 0
    # What comes behind the last line's end is torn.
    for line in data.split(b"\n")[:-1]:
        try:
            event = json.loads(line) if len(line) < LONGEST_LINE else None
        except ValueError:
            event = None
        if not isinstance(event, dict) or "schemaVersion" not in event:
            damaged += 1
        elif event["schemaVersion"] <= 1:
            lines.append(event)
    record = {"id": lines[0]["id"], "name": lines[0].get("name"), "restarts": 0, "damaged": damaged}
    record |= {"up": None, "vmm": None, "reason": None, "ends": 0}
    for event in lines:
        kind = event["event"]
        if kind == "up" and record["up"] is None:
            record["up"] = event["time"]
        elif kind == "started":
            record["vmm"] = event["vmm"]["pid"]
        elif kind == "restarted":
            record["restarts"] = event["times"]
        elif kind == "ended":
            record["ends"] += 1
            if record["reason"] is None:
                record["reason"] = event["reason"]
    return record


def read_spool(directory):
    numbers = sorted(
        int(found[1]) for path in directory.iterdir() if (found := re.fullmatch(r"output\.(0|[1-9][0-9]*)", path.name))
    )
    out, err, lost, position = bytearray(), bytearray(), 0, 0
    for number in numbers:
        data = (directory / f"output.{number}").read_bytes()
        if len(data) < 32 or data[:8] != b"nexspool" or struct.unpack("<I", data[28:32])[0] != crc32c(data[:28]):
            continue
        version, own_number, _ = struct.unpack("<IQQ", data[8:28])
        if version != 1 or own_number != number:
            continue
        offset = 32
        while offset + 28 <= len(data):
            length, stream, zeros, place, _, checksum = struct.unpack("<IB3sQQI", data[offset : offset + 28])
            end = offset + 28 + length
            if not 1 <= length <= MOST_DATA or stream not in (1, 2) or zeros != bytes(3) or end > len(data):
                break
            if crc32c(data[offset : offset + 24] + data[offset + 28 : end]) != checksum or place < position:
                break
            lost += place - position
            position = place + length
            (out if stream == 1 else err).extend(data[offset + 28 : end])
            offset = end
    return {"out": out.hex(), "err": err.hex(), "lost": lost, "position": position}


directory = pathlib.Path(sys.argv[1])
print(json.dumps({"record": read_journal(directory), "output": read_spool(directory)}))
