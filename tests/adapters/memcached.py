"""A memcached of a few commands in the process, behind the socket that a client asks for."""

import socket
from types import SimpleNamespace


class Memory:
    """What the server holds: key -> (value, unique number)."""

    def __init__(self):
        self.items = {}
        self.stored = 0

    def answer(self, line, data):
        """Carry out one command."""
        words = line.decode().split()
        verb, keys = words[0], words[1:]
        if verb in {"get", "gets"}:
            found = b""
            for key in keys:
                if key in self.items:
                    value, number = self.items[key]
                    mark = b" %d" % number if verb == "gets" else b""
                    found += b"VALUE %s 0 %d%s\r\n%s\r\n" % (key.encode(), len(value), mark, value)
            return found + b"END\r\n"
        if verb in {"set", "cas"}:
            if verb == "cas" and self.items.get(keys[0], (b"", 0))[1] != int(keys[4]):
                return b"EXISTS\r\n"
            self._store(keys[0], data)
            return b"STORED\r\n"
        if verb == "incr":
            self._store(keys[0], b"%d" % (int(self.items[keys[0]][0]) + int(keys[1])))
            return self.items[keys[0]][0] + b"\r\n"
        raise AssertionError(f"this server does not know {verb}")

    def _store(self, key, value):
        self.stored += 1
        self.items[key] = (value, self.stored)

    def sockets(self):
        """Return what pymemcache takes for the socket module."""
        return SimpleNamespace(
            socket=lambda *_: Connection(self),
            getaddrinfo=lambda *_: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("production", 1))],
            AF_UNSPEC=0, SOCK_STREAM=1, IPPROTO_TCP=6, TCP_NODELAY=1, error=OSError,
        )  # fmt: skip


class Connection:
    """A connected socket: what is sent is answered at once."""

    def __init__(self, memory):
        self._memory = memory
        self._answers = b""

    def sendall(self, sent):
        """Carry out what was sent."""
        while sent:
            line, _, sent = sent.partition(b"\r\n")
            data = b""
            if line.split()[0] in {b"set", b"cas"}:
                length = int(line.split()[4])
                data, sent = sent[:length], sent[length + 2 :]
            self._answers += self._memory.answer(line, data)

    def recv(self, size):
        """Hand out what was answered."""
        answer, self._answers = self._answers[:size], self._answers[size:]
        return answer

    def connect(self, _address): ...
    def close(self): ...
    def settimeout(self, _seconds): ...
    def setsockopt(self, *_): ...
