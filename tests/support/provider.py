"""A small OpenID Connect provider on 127.0.0.1, in a thread of its own."""

import asyncio
import base64
import contextlib
import hashlib
import secrets
import threading
import time
from urllib.parse import urlencode

import jwt
from aiohttp import web

CLIENT, SECRET = "jarvis", "the client's secret"


class Provider:
    """Lets in whoever `claims` describe, without asking."""

    def __init__(self):
        self.claims = {"sub": "1", "preferred_username": "dora", "email": "dora@example.com", "email_verified": True}
        self.refuses = False
        self.asked = {}  # by code: what the authorisation was asked with
        self.address = ""

    async def configuration(self, request):
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "userinfo_endpoint": "userinfo"}
        ends = {name: f"{self.address}/{path}" for name, path in names.items()}
        return web.json_response({"issuer": self.address, "jwks_uri": f"{self.address}/keys", **ends})

    async def authorize(self, request):
        assert request.query["client_id"] == CLIENT
        assert request.query["code_challenge_method"] == "S256"
        back = {"state": request.query["state"]}
        if self.refuses:
            back["error"] = "access_denied"
        else:
            back["code"] = secrets.token_urlsafe()
            self.asked[back["code"]] = dict(request.query)
        raise web.HTTPFound(f"{request.query['redirect_uri']}?{urlencode(back)}")

    async def token(self, request):
        form = await request.post()
        asked = self.asked.pop(form["code"], None)
        proof = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if asked is None or asked["code_challenge"] != proof or form["client_secret"] != SECRET:
            return web.json_response({"error": "invalid_grant"}, status=400)
        claims = self.claims | {"iss": self.address, "aud": CLIENT, "exp": time.time() + 60, "iat": time.time()}
        token = jwt.encode(claims, "x" * 32, "HS256")
        return web.json_response({"access_token": "opaque", "token_type": "Bearer", "id_token": token})

    async def userinfo(self, request):
        return web.json_response(self.claims)


@contextlib.contextmanager
def serving_provider():
    provider, loop, up = Provider(), asyncio.new_event_loop(), threading.Event()

    async def start():
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", provider.configuration)
        app.router.add_get("/authorize", provider.authorize)
        app.router.add_post("/token", provider.token)
        app.router.add_get("/userinfo", provider.userinfo)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        provider.address = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
        up.set()
        return runner

    def run():
        runner = loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert up.wait(5)
    try:
        yield provider
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
