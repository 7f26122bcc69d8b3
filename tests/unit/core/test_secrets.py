"""Secrets at rest open only with their key and place; secrets in text are masked."""

import os
import threading

import pytest

from ferryman.core.errors import Corrupt, Denied
from ferryman.core.secrets import SecretBox, mask


@pytest.fixture
def box(tmp_path):
    return SecretBox(tmp_path / "keys" / "secret.key")


def test_what_is_sealed_opens_again_also_after_a_restart(box, tmp_path):
    sealed = box.seal("hunter2 ünï", "profile:1")
    assert sealed.startswith("v1:")
    assert "hunter2" not in sealed
    assert SecretBox(tmp_path / "keys" / "secret.key").open(sealed, "profile:1") == "hunter2 ünï"
    assert box.open(box.seal("")) == ""


def test_sealing_twice_differs(box):
    assert box.seal("same") != box.seal("same")


def test_a_secret_is_of_no_use_in_another_place(box):
    with pytest.raises(Corrupt) as caught:
        box.open(box.seal("x", "profile:1"), "profile:2")
    assert caught.value.code == "secret_sealed"


@pytest.mark.parametrize("damage", ["v1:", "v1:AAAA", "v1:not base64!", "v1:" + "A" * 80, "v1:\u00fc"])
def test_damaged_secrets_are_refused(box, damage):
    with pytest.raises(Corrupt) as caught:
        box.open(damage)
    assert caught.value.code == "secret_sealed"
    assert "secret.key" in caught.value.message


def test_one_changed_character_is_noticed(box):
    sealed = box.seal("text")
    for at in range(3, len(sealed)):
        changed = sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :]
        with pytest.raises(Corrupt):
            box.open(changed)


@pytest.mark.parametrize("sealed", ["", "plain", "v2:AAAA"])
def test_an_unknown_form_is_named_as_such(box, sealed):
    with pytest.raises(Corrupt) as caught:
        box.open(sealed)
    assert caught.value.code == "secret_version"


def test_another_key_does_not_open_it(box, tmp_path):
    with pytest.raises(Corrupt):
        SecretBox(tmp_path / "other.key").open(box.seal("x"))


def test_only_the_owner_may_read_the_key(box, tmp_path):
    key = tmp_path / "keys" / "secret.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
    assert [entry.name for entry in key.parent.iterdir()] == ["secret.key"]
    key.chmod(0o640)
    with pytest.raises(Denied) as caught:
        SecretBox(key)
    assert caught.value.code == "secret_key_exposed"
    assert "chmod 600" in caught.value.advice


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_damaged_key_is_never_replaced(tmp_path, content):
    key = tmp_path / "secret.key"
    key.write_bytes(content)
    key.chmod(0o600)
    with pytest.raises(Corrupt) as caught:
        SecretBox(key)
    assert caught.value.code == "secret_key_damaged"
    assert key.read_bytes() == content


def test_a_key_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "keys").write_text("a file in the way")
    with pytest.raises(Denied) as caught:
        SecretBox(tmp_path / "keys" / "secret.key")
    assert caught.value.code == "secret_key_unreadable"


def test_many_that_start_at_once_share_one_key(tmp_path):
    key, sealed, barrier = tmp_path / "keys" / "secret.key", [], threading.Barrier(8)

    def start():
        barrier.wait()
        sealed.append(SecretBox(key).seal("x"))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = SecretBox(key)
    assert [last.open(item) for item in sealed] == ["x"] * 8
    assert os.listdir(key.parent) == ["secret.key"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abcdef123", "Authorization: Bearer ***"),
        ("authorization: basic dXNlcjpwYXNz", "authorization: basic ***"),
        ("Proxy-Authorization: Negotiate YII==", "Proxy-Authorization: Negotiate ***"),
        ("Authorization: whole value with spaces", "Authorization: ***"),
        ('{"Authorization": "Bearer abc"}', '{"Authorization": "Bearer ***"}'),
        ("a\r\nAuthorization: Bearer abc\r\nHost: x", "a\r\nAuthorization: Bearer ***\r\nHost: x"),
        ("Cookie: a=b; c=d", "Cookie: ***"),
        ("Set-Cookie: sid=abc; Path=/", "Set-Cookie: ***"),
        ("X-Api-Key: 123", "X-Api-Key: ***"),
        ("PRIVATE-TOKEN: abc", "PRIVATE-TOKEN: ***"),
        ("get https://user:pass@host/x", "get https://user:***@host/x"),
        ("https://user:p:a:s@host:8443/x?y=1", "https://user:***@host:8443/x?y=1"),
        ("ftp://:pass@host/", "ftp://:***@host/"),
        ("socks5h://me:pw@10.0.0.1:1080", "socks5h://me:***@10.0.0.1:1080"),
        ("https://h/x?a=1&X-Amz-Signature=abc&b=2", "https://h/x?a=1&X-Amz-Signature=***&b=2"),
        ("https://h/x?access_token=abc#f", "https://h/x?access_token=***"),
        ("https://h/x?sv=1&sig=a%2Bb", "https://h/x?sv=1&sig=***"),
        ("password=hunter2 user=x", "password=*** user=x"),
        ('{"password": "hunter2", "n": 1}', '{"password": "***", "n": 1}'),
        ("{'client_secret': 'a\\'b', 'n': 1}", "{'client_secret': '***', 'n': 1}"),
        ("sent Bearer eyJhbGciOi.abc.def to it", "sent Bearer *** to it"),
        ("token ferry_" + "a" * 43 + " used", "token ferry_*** used"),
        ("ghp_" + "b" * 36, "ghp_***"),
        ("hf_" + "c" * 30, "hf_***"),
    ],
)
def test_secrets_in_text_are_masked(text, shown):
    assert mask(text) == shown
    assert mask(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GET https://host/a/b.iso?x=1 HTTP/1.1",
        "https://user@host/x",
        "http://[::1]:8470/x at 12:30",
        "Content-Type: application/json",
        "the password is wrong",
        "basic settings and bearer bonds",
        "sha256:" + "ab" * 32,
        "mail me@example.org: now",
        "a token expired",
        "design=flat&assign=1",
    ],
)
def test_harmless_text_stays_as_it_is(text):
    assert mask(text) == text
