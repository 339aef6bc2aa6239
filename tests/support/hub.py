"""A model hub on this machine: one small model, slow or broken on demand, and a note of what it was asked."""

import asyncio
import hashlib
import json
from contextlib import asynccontextmanager

from aiohttp import web

COMMIT = "a" * 40
NUMBERS = bytes(range(256)) * 100_000  # 25.6 MB; the hub's client writes 10 MB at a time
HEAD = json.dumps({"numbers": {"dtype": "U8", "shape": [len(NUMBERS)], "data_offsets": [0, len(NUMBERS)]}}).encode()
WEIGHTS = len(HEAD).to_bytes(8, "little") + HEAD + NUMBERS


class Hub:
    def __init__(self):
        self.files = {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": WEIGHTS}
        self.files |= {"pickled.bin": b"never", "notes.md": b"never"}
        self.sha256 = hashlib.sha256(WEIGHTS).hexdigest()
        self.token = ""  # the one that is wanted, if any
        self.gated = False
        self.stop_after = 0  # bytes of the weights in one answer; 0: all
        self.requests = []
        self.ranges = []
        self.authorizations = set()

    @asynccontextmanager
    async def running(self):
        application = web.Application()
        application.router.add_get("/api/models/{owner}/{name}/revision/{revision}", self.info)
        application.router.add_get("/api/models/{owner}/{name}", self.info)
        application.router.add_get("/{owner}/{name}/resolve/{revision}/{path:.+}", self.file)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    def refusal(self, request):
        """None, or how the hub refuses: as the real one, it tells the reason in a header."""
        self.requests.append(f"{request.method} {request.path}")
        self.authorizations.add(request.headers.get("authorization", ""))
        if request.match_info["name"] != "tiny":
            return web.json_response(
                {"error": "Repository not found"}, status=404, headers={"X-Error-Code": "RepoNotFound"}
            )
        if self.gated:
            return web.json_response({"error": "restricted"}, status=403, headers={"X-Error-Code": "GatedRepo"})
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return web.json_response({"error": "Invalid user token"}, status=401)
        return None

    async def info(self, request):
        if refusal := self.refusal(request):
            return refusal
        siblings = [{"rfilename": name, "size": len(data)} for name, data in self.files.items()]
        for file in siblings:
            if file["rfilename"] == "model.safetensors":
                file["lfs"] = {"size": file["size"], "sha256": self.sha256, "pointerSize": 130}
        return web.json_response(
            {"id": "owner/tiny", "sha": COMMIT, "siblings": siblings, "private": False, "tags": []}
        )

    async def file(self, request):
        if refusal := self.refusal(request):
            return refusal
        data = self.files[request.match_info["path"]]
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha1(data).hexdigest()}"', "Accept-Ranges": "bytes"}
        begin = 0
        if asked := request.headers.get("range"):
            begin = int(asked.removeprefix("bytes=").partition("-")[0])
            if request.method == "GET":
                self.ranges.append(begin)
        headers["Content-Length"] = str(len(data) - begin)
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        response = web.StreamResponse(status=206 if begin else 200, headers=headers)
        await response.prepare(request)
        if request.method == "GET":
            if self.stop_after and len(data) > self.stop_after:
                await response.write(data[begin : begin + self.stop_after])
                await asyncio.sleep(60)  # the line is dead
            await response.write(data[begin:])
        return response
