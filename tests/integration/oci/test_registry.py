"""The client with Debian's docker-registry: open, with passwords, with tokens, over TLS, through a proxy."""

import base64
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ferryman.core.errors import Denied, FerryError, Invalid, NotFound, Unavailable
from ferryman.oci.authfile import AuthFiles
from ferryman.oci.client import RegistryClient
from ferryman.oci.options import Login, RegistryOptions
from ferryman.oci.session import Registries
from ferryman.oci.streams import FileStream
from ferryman.testing.docker_registry import PASSWORD, USER, DockerRegistry, TokenServer
from ferryman.testing.proxies import HttpProxy, SocksProxy
from ferryman.testing.tls import Authority
from tests.integration.oci.registries import everything, layer, made_up, options, push, put

pytestmark = pytest.mark.skipif(not DockerRegistry.program(), reason="docker-registry is not installed")
ME = Login(USER, PASSWORD)
CONTENT = made_up(2_500_000)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    with DockerRegistry(tmp_path_factory.mktemp("open")) as registry:
        yield registry


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    with DockerRegistry(tmp_path_factory.mktemp("locked"), htpasswd=True) as registry:
        yield registry


@pytest.fixture
def tokens(tmp_path):
    with TokenServer(tmp_path / "tokens") as server:
        yield server


@pytest.fixture
def guarded(tmp_path, tokens):
    with DockerRegistry(tmp_path / "guarded", tokens=tokens) as registry:
        yield registry


def round_trip(client: RegistryClient) -> None:
    manifest = push(client, "v1", CONTENT)
    source = client.source()
    assert source.resolve("v1") == manifest
    assert everything(source.open_blob(layer(CONTENT), 7)) == CONTENT[7:]
    assert list(source.tags()) == ["v1"]


def test_push_pull_mount_delete(opened):
    registries = Registries(options(chunk=1_000_000))
    client = RegistryClient(opened.host, "team/app", registries=registries)
    client.ping()
    round_trip(client)
    other = RegistryClient(opened.host, "team/other", registries=registries)
    assert other.target().mount(layer(CONTENT), "team/app")
    assert other.target().has_blob(layer(CONTENT))
    assert not other.target().mount(layer(b"nowhere"), "team/app")
    assert set(client.catalog()) >= {"team/app"}
    digest = client.source().resolve("v1").digest
    assert client.target().tagged("v1") == digest
    assert client.target().tagged("v2") is None
    client.delete_manifest(digest)
    assert not client.target().has_manifest(digest)
    with pytest.raises(NotFound, match="team/app:v1"):
        client.source().resolve("v1")
    registries.close()


def test_one_registry_to_another_without_passing_through_the_process(opened, locked):
    with (
        RegistryClient(opened.host, "spliced/from", options()) as source,
        RegistryClient(locked.host, "spliced/to", options(login=ME, chunk=1_000_000)) as target,
    ):
        put(source.target(), CONTENT)
        reading, told = source.source(), []
        with reading.open_blob(layer(CONTENT)) as stream:
            stream.readinto(memoryview(bytearray(65536)))
            assert stream.fileno() is not None
        target.target().put_blob(
            layer(CONTENT), lambda at: reading.open_blob(layer(CONTENT), at), told.append, None
        )
        assert everything(target.source().open_blob(layer(CONTENT))) == CONTENT
    assert sum(told) == len(CONTENT)


def test_a_file_to_a_registry(opened, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(CONTENT)
    with RegistryClient(opened.host, "from/file", options(chunk=1_000_000)) as client:
        client.target().put_blob(layer(CONTENT), lambda at: FileStream(file, at), lambda _: None, None)
        assert everything(client.source().open_blob(layer(CONTENT))) == CONTENT


def test_many_at_once(opened):
    contents = [made_up(50_000, str(number)) for number in range(24)]
    with RegistryClient(opened.host, "many/blobs", options()) as client, ThreadPoolExecutor(12) as threads:
        target, source = client.target(), client.source()
        list(threads.map(lambda content: put(target, content), contents))
        found = list(threads.map(lambda content: everything(source.open_blob(layer(content))), contents))
    assert found == contents


def test_passwords(locked):
    with RegistryClient(locked.host, "team/app", options(login=ME)) as client:
        round_trip(client)
        assert "team/app" in list(client.catalog())


@pytest.mark.parametrize("login", [None, Login(USER, "wrong")])
def test_without_the_right_password_it_is_denied(locked, login):
    with (
        RegistryClient(locked.host, "team/app", options(login=login)) as client,
        pytest.raises(Denied, match=r"\(401") as caught,
    ):
        client.source().resolve("v1")
    assert "docker login" in caught.value.advice
    assert "wrong" not in caught.value.message


def test_auth_files_and_helpers_are_asked(locked, tmp_path):
    helper = tmp_path / "bin" / "docker-credential-test"
    helper.parent.mkdir()
    helper.write_text(
        f'#!/bin/sh\nread server\n[ "$server" = "{locked.host}" ] || exit 1\n'
        f'echo \'{{"Username": "{USER}", "Secret": "{PASSWORD}"}}\'\n'
    )
    helper.chmod(0o755)
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    for config in ({"auths": {locked.host: {"auth": pair}}}, {"credHelpers": {locked.host: "test"}}):
        file = tmp_path / "config.json"
        file.write_text(json.dumps(config))
        environ = {"PATH": f"{helper.parent}:{os.environ['PATH']}", "DOCKER_CONFIG": str(tmp_path)}
        logins = AuthFiles(environ, tmp_path).login
        with RegistryClient(locked.host, "team/files", options(logins=logins)) as client:
            round_trip(client)


def test_tokens_are_asked_for_what_is_needed(guarded, tokens):
    with RegistryClient(guarded.host, "team/app", options(login=ME)) as client:
        round_trip(client)
        with RegistryClient(guarded.host, "team/other", options(login=ME)) as other:
            assert other.target().mount(layer(CONTENT), "team/app")
    scopes = [one.scopes for one in tokens.seen]
    assert scopes[:2] == [("repository:team/app:pull,push",), ("repository:team/app:pull",)]
    assert ("repository:team/app:pull", "repository:team/other:pull,push") in scopes


def test_nobody_may_pull_but_not_push(guarded, tokens):
    with RegistryClient(guarded.host, "team/app", options(login=ME)) as client:
        manifest = push(client, "v1", CONTENT)
    with RegistryClient(guarded.host, "team/app", options()) as client:
        assert client.source().resolve("v1") == manifest
        with pytest.raises(Denied):
            put(client.target(), b"other")
    assert tokens.seen[-1].user is None


def test_a_wrong_password_is_told_by_the_token_server(guarded):
    with (
        RegistryClient(guarded.host, "team/app", options(login=Login(USER, "wrong"))) as client,
        pytest.raises(Denied, match="refuses user or password") as caught,
    ):
        client.ping()
    assert caught.value.code == "auth_failed"


@pytest.mark.parametrize("login", [ME, Login("", identity_token="refresh-of-ferry")])
def test_token_servers_that_want_oauth2(guarded, tokens, login):
    tokens.oauth_only = True
    with RegistryClient(guarded.host, "team/app", options(login=login)) as client:
        round_trip(client)
    assert {one.method for one in tokens.seen} == {"POST"}


def test_tokens_are_renewed_in_the_middle_of_an_upload(guarded, tokens, tmp_path):
    """They live shorter than we use them for: each part of the upload asks for a new one."""
    tokens.lifetime = 1
    with RegistryClient(guarded.host, "team/app", options(login=ME, chunk=500_000)) as client:
        client.ping()
        authorizer = client.target()._place.registry.authorizer
        now = [authorizer._clock()]
        authorizer._clock = lambda: now[0]  # nobody waits: each part takes a second

        def tell(_: int) -> None:
            now[0] += 1

        file = tmp_path / "file"
        file.write_bytes(CONTENT)
        client.target().put_blob(layer(CONTENT), lambda at: FileStream(file, at), tell, None)
        assert client.target().has_blob(layer(CONTENT))
    assert len(tokens.seen) >= 6


def test_a_saved_login_of_a_registry_that_took_it_back(guarded, tokens):
    bad = tokens.token(USER, [], lifetime=-100)
    with (
        RegistryClient(guarded.host, "team/app", options(login=Login("", registry_token=bad))) as client,
        pytest.raises(Denied),
    ):
        client.source().resolve("v1")


def test_tls_with_an_own_authority(tmp_path):
    authority = Authority(tmp_path / "ca")
    with DockerRegistry(tmp_path / "tls", certificate=authority.issue("localhost")) as registry:
        with RegistryClient(registry.host, "team/app", RegistryOptions(ca=authority.ca)) as client:
            round_trip(client)
        with RegistryClient(registry.host, "team/app", RegistryOptions(insecure=True)) as client:
            client.ping()
        with (
            RegistryClient(registry.host, "team/app", RegistryOptions()) as client,
            pytest.raises(Denied) as caught,
        ):
            client.ping()
    assert caught.value.code == "certificate_untrusted"


def test_an_upload_may_be_the_first_thing_on_a_connection_with_tls(tmp_path):
    """The server's session tickets arrive then, which are no answer."""
    authority = Authority(tmp_path / "ca")
    with DockerRegistry(tmp_path / "tls", certificate=authority.issue("localhost")) as registry:
        given = RegistryOptions(ca=authority.ca, stall_timeout=10, retries=0)
        with RegistryClient(registry.host, "team/app", replace(given, retries=1)) as first:
            target = first.target()
            assert not target.mount(layer(CONTENT), "team/none")
            begun = target._begun
        with RegistryClient(registry.host, "team/app", given) as client:
            target = client.target()
            target._begun, target._absent = begun, {layer(CONTENT).digest}
            put(target, CONTENT)
        with RegistryClient(registry.host, "team/app", RegistryOptions(ca=authority.ca)) as client:
            assert everything(client.source().open_blob(layer(CONTENT))) == CONTENT


def test_mutual_tls(tmp_path):
    authority = Authority(tmp_path / "ca")
    server, mine = authority.issue("localhost"), authority.issue("me", client=True)
    with DockerRegistry(tmp_path / "tls", certificate=server, client_ca=authority.ca) as registry:
        given = RegistryOptions(ca=authority.ca, client_cert=mine[0], client_key=mine[1])
        with RegistryClient(registry.host, "team/app", given) as client:
            round_trip(client)
        with (
            RegistryClient(registry.host, "team/app", RegistryOptions(ca=authority.ca, retries=1)) as client,
            pytest.raises(FerryError) as caught,
        ):
            client.ping()
    assert caught.value.code == "client_cert_required"


def test_plain_http_is_never_tried_by_itself(opened):
    with (
        RegistryClient(opened.host, "team/app", RegistryOptions(retries=1)) as client,
        pytest.raises(Unavailable, match="does not speak TLS") as caught,
    ):
        client.ping()
    assert "--plain-http" in caught.value.advice


def test_nobody_there_and_no_registry(tmp_path, opened):
    with DockerRegistry(tmp_path / "gone") as gone:
        host = gone.host
    with (
        RegistryClient(host, "team/app", options(retries=1)) as client,
        pytest.raises(Unavailable, match=host),
    ):
        client.ping()
    with RegistryClient(opened.host, "team/app", options(client_cert=tmp_path / "none")) as client:
        client.ping()  # certificates are looked at when TLS is spoken
    with (
        RegistryClient(
            opened.host, "team/app", RegistryOptions(client_cert=tmp_path / "none", retries=1)
        ) as client,
        pytest.raises(Invalid, match="none"),
    ):
        client.ping()


def test_who_never_answered_is_asked_twice_and_who_did_is_waited_for(tmp_path):
    pauses = []
    with DockerRegistry(tmp_path / "registry") as registry:
        with RegistryClient(registry.host, "team/app", options(sleep=pauses.append)) as met:
            met.ping()
            registry.stop()
            with pytest.raises(Unavailable, match="No connection"):
                met.ping()
        assert len(pauses) == 4
        pauses.clear()
        with (
            RegistryClient(registry.host, "team/app", options(sleep=pauses.append)) as stranger,
            pytest.raises(Unavailable, match=registry.host),
        ):
            stranger.ping()
        assert len(pauses) == 1
        with (
            RegistryClient("nowhere.invalid", "team/app", options(sleep=pauses.append)) as unknown,
            pytest.raises(Unavailable, match=r"nowhere\.invalid"),
        ):
            unknown.ping()
        assert len(pauses) == 1


@pytest.mark.parametrize("kind", [HttpProxy, SocksProxy])
@pytest.mark.parametrize("login", ["", "me:secret"])
def test_through_a_proxy(opened, tmp_path, kind, login):
    authority = Authority(tmp_path / "ca")
    with (
        kind(login=login) as proxy,
        DockerRegistry(tmp_path / "tls", certificate=authority.issue("localhost")) as secure,
    ):
        url = proxy.url(login)
        with RegistryClient(opened.host, f"proxied/{kind.__name__.lower()}", options(proxy=url)) as client:
            round_trip(client)
        with RegistryClient(
            secure.host, "proxied/tls", RegistryOptions(proxy=url, ca=authority.ca)
        ) as client:
            round_trip(client)
        if login:
            given = options(proxy=proxy.url("me:wrong"), retries=1)
            with (
                RegistryClient(opened.host, "team/app", given) as client,
                pytest.raises(Denied) as caught,
            ):
                client.ping()
            assert "wrong" not in caught.value.message
