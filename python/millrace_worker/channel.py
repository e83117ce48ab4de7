"""Frames between Millrace and a worker, over a stream socket.

A frame is a header of 16 bytes (four letters that name its kind, the size of its fields as a
32-bit and that of its body as a 64-bit number, both little-endian), the fields, and the body.
Fields are strings, each followed by a zero byte.

    kind   from      fields                            body
    MRQ1   Millrace  name, value, ... of the headers   the request
    MRR1   worker    name, value, ...                  none: ready for requests
    MRF1   worker    none                              why it will not be ready
    MRP1   worker    status, content type              the reply
"""
import os
import socket
import struct

HEADER = struct.Struct("<4sIQ")
# Room for a request or a reply of usual size, so that each takes one turn of each side.
BUFFER_BYTES = 4 << 20
FIELDS_KEPT = 64


class Channel:
    def __init__(self, descriptor):
        os.set_inheritable(descriptor, False)
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        self._fields = {}  # requests of one object have the same headers

    def receive(self):
        """(headers, body) of the next request; None when Millrace is done."""
        header = self._read(HEADER.size)
        if header is None:
            return None
        kind, fields_size, body_size = HEADER.unpack(header)
        if kind != b"MRQ1":
            raise ValueError(f"a frame of kind {kind!r} from Millrace")
        fields = self._read(fields_size) if fields_size else b""
        body = self._read(body_size) if body_size else b""
        if fields is None or body is None:
            return None
        return self._headers(fields), body

    def send_ready(self, fields):
        self._send(b"MRR1", [text for pair in fields.items() for text in pair], b"")

    def send_failure(self, message):
        self._send(b"MRF1", [], message.encode("utf-8", "replace"))

    def send_reply(self, status, content_type, body):
        self._send(b"MRP1", [str(status), content_type], body)

    def _headers(self, fields):
        known = self._fields.get(fields)
        if known is None:
            texts = fields.decode("utf-8", "surrogateescape").split("\0")
            known = dict(zip(texts[0::2], texts[1::2]))
            if len(self._fields) >= FIELDS_KEPT:
                self._fields.clear()
            self._fields[fields] = known
        return dict(known)

    def _read(self, size):
        data = self._socket.recv(size, socket.MSG_WAITALL)
        if len(data) == size:
            return data
        parts = [data]
        missing = size - len(data)
        while missing and parts[-1]:
            parts.append(self._socket.recv(missing, socket.MSG_WAITALL))
            missing -= len(parts[-1])
        return None if missing else b"".join(parts)

    def _send(self, kind, fields, body):
        packed = b"".join(text.encode("utf-8", "surrogateescape") + b"\0" for text in fields)
        head = HEADER.pack(kind, len(packed), len(body)) + packed
        if len(body) < 65536:
            self._socket.sendall(head + body)
        else:
            self._socket.sendall(head)
            self._socket.sendall(body)
