#!/usr/bin/env python3
"""A client of nex's guests, with Python's own library alone (docs/supervisor.md, docs/channel.md).

    guest-client.py run NEX ARGUMENTS...     starts a detached guest, as 'nex run ARGUMENTS... --detach' does, and prints its id
    guest-client.py exec GUEST COMMAND...    runs a program in it, and ends with the program's exit code
    guest-client.py follow GUEST             prints what the guest's own program writes, and ends as that does
    guest-client.py events GUEST             prints what happens to the guest, until it has ended

GUEST is a name or a whole id.
"""
import json
import os
import socket
import struct
import subprocess
import sys

HELLO, OPEN, OPENED, DATA, EOF, CREDIT, SIGNAL, RESIZE, EXIT, RESET, CLOSE = range(1, 12)
HEADER = struct.Struct("<BBHII")  # kind, flow, reserved, stream, length of the payload
GREETING = struct.Struct("<8sHHIQ")  # magic, version, reserved, window, session
MAGIC = b"\x89nex\r\n\x1a\n"
WINDOW = 64 << 10


def line(member, **content):
    """A line of JSON: a version, and one member that says what the line is."""
    return json.dumps({"schemaVersion": 1, member: content}).encode() + b"\n"


def start(nex, arguments):
    """Starts a guest. Its supervisor is nex itself, by another name; the control connection is its standard input."""
    own, control = socket.socketpair()
    command = ["nex-supervisor", "run", "--detach", *arguments]
    subprocess.Popen(command, executable=nex, stdin=control, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    control.close()
    guest = None
    for notice in map(json.loads, own.makefile("rb")):
        if "note" in notice:
            print(ascii(notice["note"]["text"]), file=sys.stderr)
        elif "created" in notice:
            guest = notice["created"]["id"]
        elif "started" in notice:
            return guest
        elif "refused" in notice:
            sys.exit(ascii(notice["refused"]["error"]["message"]))
    sys.exit("the supervisor has ended before the guest has begun")


def ask(guest, request):
    """Makes a request of a guest's supervisor. Gives the answer, and the connection for what comes behind it."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    place = os.path.join(state, "nex/run")
    name = os.path.join(place, "names", guest)
    directory = name if os.path.islink(name) else os.path.join(place, "guests", guest)
    # The path of a socket has 107 bytes at most, that of a directory has not.
    handle = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(f"/proc/self/fd/{handle}/socket")
    os.close(handle)
    connection.sendall(line(request))
    lines = connection.makefile("rb")
    answer = json.loads(lines.readline() or b"{}")
    if request not in answer:
        sys.exit(ascii(answer.get("error", {}).get("message", "the guest has ended")))
    return connection, lines


def talk(guest, request):
    """Asks for something by a session of the channel, and writes its output. Gives the exit code."""
    connection, frames = ask(guest, "channel")

    def send(kind, flow=0, stream=1, payload=b""):
        connection.sendall(HEADER.pack(kind, flow, 0, stream, len(payload)) + payload)

    send(HELLO, stream=0, payload=GREETING.pack(MAGIC, 1, 0, WINDOW, 1))
    while header := frames.read(HEADER.size):
        kind, flow, _, _, length = HEADER.unpack(header)
        payload = frames.read(length)
        if kind == HELLO:
            send(OPEN, payload=json.dumps(request).encode())
            send(EOF, flow=0)  # No standard input.
        elif kind == DATA:
            output = sys.stdout if flow == 1 else sys.stderr
            output.buffer.write(payload)
            output.buffer.flush()
            send(CREDIT, flow, payload=struct.pack("<I", length))
        elif kind == EXIT:
            how, value = payload[0], payload[1]
            if how == 2:
                print(ascii(payload[4:].decode()), file=sys.stderr)
            return 128 + value if how == 1 else value
        elif kind == RESET:
            sys.exit(ascii(payload.decode()))
    sys.exit("the guest has ended")


def main():
    what, *words = sys.argv[1:] or [""]
    if what == "run" and words:
        print(start(words[0], words[1:]))
    elif what == "exec" and len(words) > 1:
        sys.exit(talk(words[0], {"exec": {"argv": words[1:]}}))
    elif what == "follow" and len(words) == 1:
        sys.exit(talk(words[0], {"attach": {}}))
    elif what == "events" and len(words) == 1:
        for event in ask(words[0], "events")[1]:
            print(event.decode(), end="")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
