"""
A way to a server that is so many milliseconds long, there and back: `slow_link LISTEN TO ROUND_TRIP_MS`.

Nothing is slowed down but its arrival: what is sent one after the other arrives so.
"""

import asyncio
import sys


async def _pass(source: asyncio.StreamReader, goal: asyncio.StreamWriter, one_way_s: float) -> None:
    loop = asyncio.get_running_loop()
    while data := await source.read(1 << 16):
        loop.call_later(one_way_s, goal.write, data)
    loop.call_later(one_way_s, goal.close)


async def main(listen: int, to: int, round_trip_ms: float) -> None:
    """Serve until killed."""
    one_way_s = round_trip_ms / 2000

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", to)
        await asyncio.gather(_pass(reader, back, one_way_s), _pass(there, writer, one_way_s))

    server = await asyncio.start_server(serve, "127.0.0.1", listen)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
