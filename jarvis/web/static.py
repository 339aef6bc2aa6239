"""Static files: hashed names that may be cached for ever, compressed once, served by WhiteNoise."""

from collections.abc import Iterator
from typing import Any

import brotli
import rjsmin
from django.contrib.staticfiles.apps import StaticFilesConfig
from django.core.files.base import ContentFile
from django.http import HttpRequest, HttpResponse
from whitenoise.compress import Compressor
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.storage import CompressedManifestStaticFilesStorage

OURS = ("accounts", "chat", "inference", "jarvis")


class OurStaticFiles(StaticFilesConfig):
    """Leaves out what packages bring for pages that Jarvis does not have."""

    ignore_patterns = [*StaticFilesConfig.ignore_patterns, "redoc", "rest_framework"]


class FastCompressor(Compressor):  # type: ignore[misc]
    """A twentieth of the time of Brotli's best, for files a tenth larger: a first start waits for it."""

    @staticmethod
    def compress_brotli(data: bytes) -> bytes:
        return bytes(brotli.compress(data, quality=6))


class HashedFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Hashes the names in the imports of ES modules as well."""

    support_js_module_import_aggregation = True

    def post_process(self, paths: dict[str, Any], dry_run: bool = False, **options: Any) -> Iterator[Any]:
        """Strip our scripts of comments and blanks first; names stay, so what a browser reports can be found."""
        for path in [] if dry_run else paths:
            if path.endswith(".js") and path.split("/")[0] in OURS:
                with self.open(path) as file:
                    short = rjsmin.jsmin(file.read())
                self.delete(path)
                self.save(path, ContentFile(short))
                paths[path] = (self, path)
        yield from super().post_process(paths, dry_run, **options)

    def create_compressor(self, **kwargs: Any) -> Compressor:
        return FastCompressor(**kwargs)


class StaticFiles(WhiteNoiseMiddleware):  # type: ignore[misc]
    """WhiteNoise giving each file in one piece: under ASGI Django would pass a file object through a thread."""

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        found = static_file.get_response(request.method, request.META)
        body = b""
        if found.file is not None:
            with found.file as file:
                body = file.read()
        response = HttpResponse(body, status=int(found.status))
        del response["content-type"]
        for name, value in found.headers:
            response[name] = value
        return response
