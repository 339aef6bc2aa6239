"""Which pages are our own, as browsers and proxies write it."""

import pytest

from jarvis.lib.origins import is_own_origin

OWN = [  # origin, host, with TLS
    ("http://localhost:8090", "localhost:8090", False),
    ("HTTP://LOCALHOST:8090", "LocalHost:8090", False),
    ("http://x.example", "x.example", False),
    ("http://x.example", "x.example:80", False),
    ("http://x.example:80", "x.example", False),
    ("http://x.example.", "x.example", False),
    ("https://x.example", "x.example", True),
    ("https://x.example", "x.example:443", True),
    ("https://x.example:443", "x.example", True),
    ("https://x.example", "x.example:80", True),  # two proxies, the second without TLS
    ("https://x.example:8443", "x.example:8443", True),
    ("https://x.example", "x.example", False),  # TLS ended in front, and nobody told
    ("https://x.example", "x.example:443", False),
    ("https://x.example", "x.example:80", False),
    ("https://x.example:8443", "x.example:8443", False),
    ("http://[::1]:8090", "[::1]:8090", False),
    ("http://[::1]", "[::1]:80", False),
    ("http://192.168.1.5", "192.168.1.5:80", False),
    ("http://127.0.0.1:8090", "127.0.0.1:8090", True),  # around the proxy, by who sits at this machine
    ("http://localhost:8090", "localhost:8090", True),
    ("http://[::1]:8090", "[::1]:8090", True),
]
FOREIGN = [
    ("http://evil.example", "x.example", False),
    ("http://x.example", "x.example:8090", False),
    ("http://x.example:8090", "x.example", False),
    ("http://x.example:8090", "x.example:8091", False),
    ("http://x.example", "x.example:443", False),
    ("https://x.example:8443", "x.example", False),
    ("http://x.example", "x.example", True),  # anybody on the way can write that page
    ("http://x.example:443", "x.example:443", True),
    ("http://localhost:8090", "x.example", True),
    ("http://127.0.0.1:8091", "127.0.0.1:8090", True),
    ("http://x.example.evil.example", "x.example", False),
    ("http://evil.example/x.example", "x.example", False),
    ("http://x.example@evil.example", "x.example", False),
    ("http://evil.example@x.example", "x.example", False),
    ("http://x.example/", "x.example", False),
    ("http://x.example:eighty", "x.example", False),
    ("http://x.example:99999", "x.example", False),
    ("http://x.example", "x.example:99999", False),
    ("http://x.example", "", False),
    ("http://", "", False),
    ("http://[", "[", False),
    ("ws://x.example", "x.example", False),
    ("ftp://x.example", "x.example", False),
    ("file://", "", False),
    ("null", "null", False),
    ("", "", False),
]


@pytest.mark.parametrize(("origin", "host", "secure"), OWN)
def test_a_page_is_ours_by_its_host_and_by_the_port_that_is_meant(origin, host, secure):
    assert is_own_origin(origin, host, secure=secure)


@pytest.mark.parametrize(("origin", "host", "secure"), FOREIGN)
def test_any_other_page_is_not(origin, host, secure):
    assert not is_own_origin(origin, host, secure=secure)


def test_trusted_origins_are_ours_whatever_host_a_proxy_names(configure):
    configure(trusted_origins=("https://x.example", "https://*.example.org", "http://y.example:8080"))
    for origin in ("https://x.example", "https://x.example:443", "https://a.b.example.org", "http://y.example:8080"):
        assert is_own_origin(origin, "127.0.0.1:8090", secure=False), origin
    for origin in ("http://x.example", "https://example.org", "https://evilexample.org", "http://y.example"):
        assert not is_own_origin(origin, "127.0.0.1:8090", secure=False), origin
