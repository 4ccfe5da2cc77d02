"""Both ends of the channel, written from docs/channel.md alone: judge.py ROLE [FAULT].

It talks over the socket that is its standard input, by blocking reads and writes, with small windows. As `guest` it is a program that
writes what it reads to standard output, the number of its bytes to standard error, and exits with 7. As `host` it runs that, twice, and
expects so. Then it says CLOSE, or with the fault `waits-for-close` waits for the guest's. With `other-forms` it asks for what the page does
not have first, and expects RESET. As `guest` with `confirms-by-exit` or `confirms-by-reset` it waits for RESET in the middle of a request.
It ends with 1, and says why, when the other end breaks a rule. Any other FAULT has it break one itself.
"""

import json
import socket
import struct
import sys

HELLO, OPEN, OPENED, DATA, EOF, CREDIT, SIGNAL, RESIZE, EXIT, RESET, CLOSE = range(1, 12)
MAGIC = bytes.fromhex("896e65780d0a1a0a")
WINDOW = 5000
SESSION = 0x1122334455667788
LENGTHS = {
    HELLO: (24, 24), OPEN: (1, 32768), OPENED: (0, 0), DATA: (1, 32768), EOF: (0, 0), CREDIT: (4, 4), SIGNAL: (4, 4),
    RESIZE: (4, 4), EXIT: (4, 1028), RESET: (0, 1024), CLOSE: (0, 0),
}


def check(holds, what):
    if not holds:
        sys.exit(f"judge: {what}")


class End:
    def __init__(self, fault):
        self.socket = socket.socket(fileno=0)
        self.fault = fault

    def read(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            check(part or not data, "the other end has cut a frame off")
            if not part:
                raise EOFError
            data += part
        return data

    def frame(self):
        kind, flow, reserved, stream, length = struct.unpack("<BBHII", self.read(12))
        check(kind in LENGTHS, f"kind {kind}")
        check(reserved == 0, "a reserved field")
        least, greatest = LENGTHS[kind]
        check(least <= length <= greatest, f"length {length} of kind {kind}")
        check(flow <= (2 if kind in (DATA, EOF, CREDIT) else 1 if kind == OPEN else 0), f"flow {flow} of kind {kind}")
        check((stream == 0) == (kind in (HELLO, CLOSE)), f"stream {stream} of kind {kind}")
        return kind, flow, stream, self.read(length)

    def send(self, kind, flow, stream, payload=b""):
        reserved = 1 if self.fault == "reserved" and kind != HELLO else 0
        self.socket.sendall(struct.pack("<BBHII", kind, flow, reserved, stream, len(payload)) + payload)

    def expect_end(self):
        """Behind CLOSE of both ends nothing comes."""
        try:
            self.read(1)
        except EOFError:
            return
        check(False, "something behind CLOSE")

    def hello(self, session):
        magic = MAGIC.replace(b"\r\n", b"\n\n") if self.fault == "magic" else MAGIC
        self.send(HELLO, 0, 0, magic + struct.pack("<HHIQ", 1, 0, WINDOW, session))

    def take_hello(self):
        kind, _, _, payload = self.frame()
        check(kind == HELLO and payload[:8] == MAGIC, "no HELLO")
        version, reserved, window, session = struct.unpack("<HHIQ", payload[8:])
        check(version == 1 and reserved == 0 and 1 <= window <= 16 << 20, "HELLO makes no sense")
        return window, session


def guest(end):
    window, session = end.take_hello()
    end.hello(session)
    last, has_closed = 0, False
    while True:
        try:
            kind, flow, stream, payload = end.frame()
        except EOFError:
            return
        if kind == CLOSE:
            if not has_closed:
                end.send(CLOSE, 0, 0)
            return end.expect_end()
        if has_closed:
            # It has crossed CLOSE.
            continue
        if kind != OPEN and stream <= last:
            # It has crossed the end of its stream.
            continue
        check(kind == OPEN and stream > last, f"kind {kind} where OPEN was to come")
        last, request = stream, payload
        if end.fault == "refuses-early" and flow == 1:
            end.send(RESET, 0, stream, b"too long")
        while flow == 1:
            kind, flow, same, payload = end.frame()
            if kind == RESET and end.fault.startswith("confirms-by"):
                check(same == stream, "another stream")
                if end.fault == "confirms-by-exit":
                    end.send(EXIT, 0, stream, bytes([0, 7, 0, 0]))
                else:
                    end.send(RESET, 0, stream, b"given up")
                return
            check((kind, same) == (OPEN, stream), "a part of a request")
            request += payload
        if "tarOut" in json.loads(request):
            end.send(RESET, 0, stream, "no tars here".encode())
            end.send(CLOSE, 0, 0)
            if end.fault == "behind-close":
                end.send(CREDIT, 0, stream, struct.pack("<I", 1))
            has_closed = True
            continue
        check(json.loads(request)["exec"]["argv"] == ["copy", {"hex": "ff"}], "another request")
        end.send(OPENED, 0, stream)
        if end.fault == "over-window":
            end.send(DATA, 1, stream, bytes(window + 1))
        if end.fault == "over-credit":
            end.send(CREDIT, 0, stream, struct.pack("<I", 1))
        copy(end, stream, window)


def copy(end, stream, window):
    """Writes what it reads, as far as there is credit, and holds no more than a window."""
    credit, given, count, held, has_ended = window, WINDOW, 0, b"", False
    while held or not has_ended:
        part = held[: min(credit, 3000)]
        if part:
            end.send(DATA, 1, stream, part)
            credit, held = credit - len(part), held[len(part) :]
            count += len(part)
            given += len(part)
            if not has_ended:
                end.send(CREDIT, 0, stream, struct.pack("<I", len(part)))
            continue
        if has_ended and not held:
            break
        kind, flow, same, payload = end.frame()
        check(same == stream, "another stream")
        if kind == DATA:
            check(flow == 0 and not has_ended, "DATA out of place")
            given -= len(payload)
            check(given >= 0, "more than a window")
            held += payload
        elif kind == EOF:
            check(flow == 0 and not has_ended, "EOF out of place")
            has_ended = True
        elif kind == CREDIT:
            check(flow in (1, 2), "credit for the input")
            if flow == 1:
                credit += struct.unpack("<I", payload)[0]
                check(credit <= window, "more credit than the window")
        else:
            check(False, f"kind {kind} out of place")
    end.send(DATA, 2, stream, b"%d" % count)
    if end.fault != "early-exit":
        end.send(EOF, 0 if end.fault == "wrong-flow" else 1, stream)
    end.send(EOF, 2, stream)
    end.send(EXIT, 0, stream, bytes([0, 7, 0, 0]))


# What the tables of requests do not have.
OTHER_FORMS = [
    '[]', '{}', 'null', '"attach"', '{"exec":{}}', '{"exec":null}', '{"exec":[["copy",{"hex":"ff"}],[],"","","stream"]}',
    '{"exec":{"argv":["copy",["ff"]]}}', '{"exec":{"argv":["copy",{"hex":"FF"}]}}', '{"exec":{"argv":["copy",{"hex":"61"}]}}',
    '{"exec":{"argv":["copy"],"stdin":{"stream":null}}}', '{"exec":{"argv":["copy"],"stdin":null}}',
    '{"exec":{"argv":["copy"],"terminal":null}}', '{"exec":{"argv":["copy"],"terminal":{"size":[24,80]}}}',
    '{"exec":{"argv":["copy"],"terminal":{"size":{"rows":24,"columns":80},"term":"x y"}}}',
    '{"exec":{"argv":["copy"],"tty":true}}', '{"exec":{"argv":["copy"],"argv":["copy"]}}', '{"exec":{"argv":["copy"]},"attach":{}}',
    '{"tarIn":["/"]}', '{"tarIn":{"path":"/","place":{"copy":null}}}', '{"tarOut":{"path":"etc"}}', '{"attach":[]}',
    '{"attach":{"size":null}}', '{"attach":{"stdin":["stream"]}}',
]


def ask_in_other_forms(end):
    forms = OTHER_FORMS + (['{"exec":{"argv":["copy",{"hex":"ff"}],"stdin":"stream"}}'] if "right" in end.fault else [])
    for stream, form in enumerate(forms, 1):
        end.send(OPEN, 0, stream, form.encode())
        kind, _, same, _ = end.frame()
        check(kind == RESET, f"kind {kind} where RESET was to come for {form}")
        check(same == stream, "another stream")
    return len(forms)


def host(end):
    end.hello(SESSION)
    window, session = end.take_hello()
    check(session == SESSION, "another session")
    content = bytes(range(256)) * 200
    before = ask_in_other_forms(end) if end.fault.startswith("other-forms") else 0
    for stream in (before + 3, before + 4):
        request = {"exec": {"argv": ["copy", {"hex": "ff"}], "stdin": "stream"}}
        # In parts.
        request = json.dumps(request).encode()
        end.send(OPEN, 1, stream, request[:10])
        if end.fault == "early-data":
            end.send(DATA, 0, stream, b"x")
        end.send(OPEN, 0, 3 if end.fault == "number" else stream, request[10:])
        run(end, stream, window, content)
    if end.fault != "waits-for-close":
        end.send(CLOSE, 0, 0)
    if end.fault == "behind-close":
        end.send(OPEN, 0, 99, b"{}")
    kind, *_ = end.frame()
    check(kind == CLOSE, f"kind {kind} where CLOSE was to come")
    if end.fault == "waits-for-close":
        end.send(CLOSE, 0, 0)
    end.socket.shutdown(socket.SHUT_WR)
    end.expect_end()


def run(end, stream, window, content):
    credit, given, sent, has_ended, is_opened = window, {1: WINDOW, 2: WINDOW}, 0, False, False
    outputs, ended = {1: b"", 2: b""}, set()
    while True:
        while sent < len(content) and credit > 0:
            part = content[sent : sent + min(credit, 1000)]
            end.send(DATA, 0, stream, part)
            credit, sent = credit - len(part), sent + len(part)
        if sent == len(content) and not has_ended:
            has_ended = True
            end.send(EOF, 0, stream)
        kind, flow, same, payload = end.frame()
        check(same == stream, "another stream")
        check(is_opened or kind == OPENED, "something before OPENED")
        if kind == OPENED:
            check(not is_opened, "OPENED twice")
            is_opened = True
        elif kind == DATA:
            check(flow in (1, 2) and flow not in ended, "DATA out of place")
            given[flow] -= len(payload)
            check(given[flow] >= 0, "more than a window")
            outputs[flow] += payload
            if WINDOW - given[flow] >= WINDOW // 2:
                end.send(CREDIT, flow, stream, struct.pack("<I", WINDOW - given[flow]))
                given[flow] = WINDOW
        elif kind == EOF:
            check(flow in (1, 2) and flow not in ended, "EOF out of place")
            ended.add(flow)
        elif kind == CREDIT:
            check(flow == 0, "credit for an output")
            credit += struct.unpack("<I", payload)[0]
            check(credit <= window, "more credit than the window")
        elif kind == EXIT:
            check(ended == {1, 2}, "EXIT before the ends")
            check(payload == bytes([0, 7, 0, 0]), "another exit")
            break
        else:
            check(False, f"kind {kind} out of place")
    check(outputs == {1: content, 2: b"%d" % len(content)}, "other outputs")


{"guest": guest, "host": host}[sys.argv[1]](End(sys.argv[2] if len(sys.argv) > 2 else ""))
