"""How a connection writes what it has in memory: the whole, a part, or that nothing changed."""

from edge.arena import SLICE_BYTES, Slot
from edge.connection import Connection
from edge.delivery import NOT_MODIFIED, Shape, plan
from edge.direct import DIRECT_BYTES_MIN, send, send_part
from edge.entry import Entry
from edge.heads import Facts
from edge.multipart import multipart


class Answering(Connection):
    """One connection, as far as it writes plain hits."""

    def write_part(self, entry: Entry, facts: Facts, now: float) -> tuple[int, int]:
        """Answer with less than the whole; return its status and the bytes of its body."""
        wish, stored, transport = facts.wish, entry.stored, self.transport
        # the two plainest of what `plan` decides, which takes 5 us
        if type(wish) is bytes and wish == stored.etag and 200 <= stored.status < 300:
            planned = NOT_MODIFIED
        elif type(wish) is tuple and stored.status == 200 and wish[0] < entry.length:
            first, last = wish[0], min(wish[1], entry.length - 1)
            self.write_span(entry.partial_head(now, first, last), entry, first, last)
            return 206, last - first + 1
        else:
            planned = plan(facts.request, stored, entry.length)
        shape = planned.shape
        if shape is Shape.NOT_MODIFIED:
            transport.write(entry.not_modified_head(now))
            return 304, 0
        if shape is Shape.UNSATISFIABLE:
            transport.write(entry.unsatisfiable_head(now))
            return 416, 0
        if shape is Shape.PART:
            pieces = entry.pieces(planned.first, planned.last)
            transport.writelines([entry.partial_head(now, planned.first, planned.last), *pieces])
            return 206, planned.last - planned.first + 1
        if shape is Shape.PARTS:
            around = multipart(planned.spans, entry.length, stored.fields)
            pieces = around.pieces(entry.pieces)
            transport.writelines([entry.multipart_head(now, around), *pieces])
            return 206, around.length
        head = entry.hit_head(now)
        if facts.method == b"HEAD":
            transport.write(head)
            return stored.status, 0
        transport.writelines([head, *entry.pieces(0, entry.length - 1)])
        return stored.status, entry.length

    def write_span(self, head: bytes, entry: Entry, first: int, last: int) -> None:
        """Write an answer with these bytes of a body: past the transport if that pays."""
        transport, size = self.transport, last - first + 1
        if size >= DIRECT_BYTES_MIN and entry.length >= SLICE_BYTES and self._scheme == b"http":
            number, at = divmod(first, SLICE_BYTES)
            held = entry.slice(number)
            if type(held) is Slot:
                if not transport.get_write_buffer_size():
                    to = self._socket or self.socket()
                    if at + size > SLICE_BYTES:
                        left = send(to, head, entry.pieces(first, last), at)
                    else:
                        left = send_part(to, head, (held, at, size))
                    if left:
                        transport.writelines(left)
                    return
            else:
                self.shared.memory.hot.taken = entry, number
        transport.writelines([head, *entry.pieces(first, last)])
