"""A load generator: requests leave on schedule whatever the answers do, and every answer is kept.

::

    async with Load("http://127.0.0.1:30080/", host="checkout.local", rate=100) as load:
        await asyncio.sleep(10)
    print(load.summary())

Only addresses of this machine are accepted as targets, and every run ends by itself.
"""

from load.answers import Answer, Summary, read_answers, summarise
from load.generator import Load, Request
from load.target import TargetError

__all__ = ["Answer", "Load", "Request", "Summary", "TargetError", "read_answers", "summarise"]
