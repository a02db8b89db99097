"""How events get in: Segment's Tracking API in front, the log behind, and a promise between.

    connection ── app or fast_path ──► intake ──► answer
                      │
                      ├─ receive     the bytes of a body, inflated, in time, within limits
                      ├─ post        what a body asks: parsed, or as far as plain events need
                      ├─ text        bytes → JSON, or the place where it breaks
                      ├─ sources     write key → source
                      ├─ admission   whether there is room, and whose turn it is
                      ├─ envelope    one request → its events, each with what all share
                      ├─ plain       text → record, of events with nothing to mend
                      ├─ validate    JSON → event, or the reason why not
                      ├─ timestamps, enrich   what the server adds
                      ├─ dedupe      which ids were promised lately
                      └─ keeping     both streams, durable before the answer
                           └─ detour, spool   the way around a log that is away

    fast_path   what came whole, without aiohttp's tasks, all of a turn together;
    known_head  without its parser, too
    pixel, cdn  the two doors of `app` that are no POST

A 200 means durable. What is refused is kept too, in the stream `rejected`, with its reason.
"""
