"""The log in one SQLite file that the processes of one machine share.

The file's law: whoever has the write lock gives out offsets, so they become visible in order and
nothing is ever filled in behind a reader. A partition belongs to one member; what a member may do
is asked of the file in the transaction that does it, never of a copy in memory.

    file      how it is made and opened
    tables    what it holds, and what older hubs left in it
    codec     a record in bytes
    writer    the one thread of a process that writes, many appends to a transaction
    members   who belongs to a group and reads what
    reader    one member, as the log's protocol has it
    doorbell  how a process hears that another has written
    retention what is deleted, a little at a time
    spool     what a file can do besides when it is a spool
    log       the whole
"""

from hub.log.sqlite.log import SqliteLog

__all__ = ["SqliteLog"]
