"""A stand-in for vLLM's server as a keeper sees it: a process on a unix socket that loads, serves, hangs or dies.

It uses the standard library alone, so that it starts in milliseconds. What it does is read from a JSON file, again at
each request: {"load": seconds, "say": "text for the log", "exit": status, "health": 200, "hang": false, "child": true,
"counted": tokens}
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--uds")
parser.add_argument("--model")
parser.add_argument("--served-model-name")
parser.add_argument("--plan", type=Path)
options, _ = parser.parse_known_args()


def plan(key, otherwise):
    return json.loads(options.plan.read_text()).get(key, otherwise) if options.plan.exists() else otherwise


async def answer(reader, writer):
    while head := await reader.readuntil(b"\r\n\r\n"):
        path = head.split()[1].decode()
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        await reader.readexactly(length)
        if plan("hang", False):
            await asyncio.sleep(3600)
        status, body = 200, b""
        if path == "/health":
            status = plan("health", 200)
        elif path == "/v1/models":
            body = json.dumps({"data": [{"id": options.served_model_name, "max_model_len": 2048}]}).encode()
        elif path == "/metrics":
            counted = plan("counted", 41.0)
            body = b'vllm:num_requests_running{engine="0"} 3.0\nvllm:prompt_tokens_total{engine="0"} %.1f\n' % counted
        else:
            status = plan("first_answer", 200)
            body = b'{"choices": []}'
        writer.write(
            b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (status, len(body))
            + body
        )
        await writer.drain()


async def quietly(reader, writer):
    try:
        await answer(reader, writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main():
    server = await asyncio.start_unix_server(quietly, options.uds)
    async with server:
        await server.serve_forever()


print(plan("say", "vLLM API server version 0"), flush=True)
if plan("child", False):  # like vLLM's core: in the same group, and it outlives its parent's SIGKILL
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
if plan("stubborn", False):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(plan("load", 0))
if (status := plan("exit", None)) is not None:
    os._exit(status)
asyncio.run(main())
