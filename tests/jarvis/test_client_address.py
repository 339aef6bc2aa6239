"""Whose call it is, by address: a client cannot choose its own, whatever it writes into the header."""

import pytest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from jarvis.lib.client_address import client_address, rate_bucket, resolve_client

PROXIES = ("10.0.0.0/8", "fd00::/8", "unix")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # a stranger's word is not taken
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),  # the left one was sent along by the client
        ("10.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),  # nothing but proxies: the farthest
        ("10.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("unix", "198.51.100.7", "198.51.100.7"),
        ("", "198.51.100.7", "198.51.100.7"),
        ("unix", "", "unix"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("10.0.0.1", '"[2001:db8::7]"', "2001:db8::7"),
        ("10.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
        ("10.0.0.1", "fe80::1%eth0", "fe80::1"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.7", "198.51.100.7"),  # one client, however it is written
        ("10.0.0.1", "2001:DB8:0:0::7", "2001:db8::7"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9, nonsense", "10.0.0.1"),  # what stands left of nonsense is not read
        ("10.0.0.1", "198.51.100.7,", "10.0.0.1"),
        ("10.0.0.1", "unix", "10.0.0.1"),
    ],
)
def test_the_header_is_read_from_its_end_as_far_as_proxies_are_trusted(peer, forwarded, client):
    assert resolve_client(peer, forwarded, PROXIES) == client


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.0.1", "unix"])
def test_without_trusted_proxies_the_header_says_nothing(peer):
    assert resolve_client(peer, "198.51.100.7", ()) == peer


@given(st.text(max_size=100), st.sampled_from(["192.0.2.1", "2001:db8::1"]))
def test_what_a_stranger_writes_changes_nothing(text, stranger):
    assert resolve_client(stranger, text, PROXIES) == stranger
    assert resolve_client("10.0.0.1", f"{text}, {stranger}", PROXIES) == stranger


@given(st.text(max_size=100))
def test_any_text_is_read_without_a_fault(text):
    assert rate_bucket(resolve_client("10.0.0.1", text, PROXIES))


def test_a_request_and_a_scope_are_read_alike(configure):
    configure(trusted_proxies=("127.0.0.1",))
    request = RequestFactory().get("/", REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR="203.0.113.9, 198.51.100.7")
    assert client_address(request) == "198.51.100.7"
    headers = [(b"x-forwarded-for", b"203.0.113.9"), (b"X-Forwarded-For", b"198.51.100.7")]
    assert client_address({"client": ("127.0.0.1", 4711), "headers": headers}) == "198.51.100.7"
    assert client_address({"client": ("192.0.2.1", 4711), "headers": headers}) == "192.0.2.1"


@pytest.mark.parametrize("client", [None, ("", 0), [None, None]])
def test_a_unix_socket_has_no_address_and_is_trusted_by_name(configure, client):
    scope = {"client": client, "headers": [(b"x-forwarded-for", b"198.51.100.7")]}
    assert client_address(scope) == "unix"
    configure(trusted_proxies=("unix",))
    assert client_address(scope) == "198.51.100.7"


@pytest.mark.parametrize(
    ("found", "counted"),
    [("192.0.2.7", "192.0.2.7"), ("2001:db8::7", "2001:db8::/64"), ("unix", "unix"), ("::1", "::/64")],
)
def test_an_ipv6_client_is_counted_by_its_network(found, counted):
    assert rate_bucket(found) == counted
