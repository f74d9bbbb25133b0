"""A server that speaks MongoDB's wire protocol, in a thread of this process."""

from __future__ import annotations

import asyncio
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def server() -> Iterator[int]:
    """Runs ``nx-27017`` inside the ``with`` block, its data in memory; gives its port."""
    from nx_27017 import NeoSQLiteHandler
    from nx_27017.server import handle_client

    def quoted(name: str) -> str:
        """Its own refuses the names of GridFS's collections, which have dots."""
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name):
            raise ValueError(name)
        return f'"{name}"' if "." in name else name

    for name, module in list(sys.modules.items()):
        for function in ("quote_identifier", "quote_table_name"):
            if name.startswith("neosqlite") and hasattr(module, function):
                setattr(module, function, quoted)
    handler, loop, ports = NeoSQLiteHandler(":memory:"), asyncio.new_event_loop(), list[int]()
    ready = threading.Event()

    async def serve() -> None:
        listening = await asyncio.start_server(lambda r, w: handle_client(r, w, handler), "127.0.0.1", 0)
        ports.append(listening.sockets[0].getsockname()[1])
        ready.set()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.create_task(serve())
        loop.run_forever()

    async def end() -> None:
        mine = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in mine:
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)
        loop.stop()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield ports[0]
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop)
        thread.join(10)
