"""Which addresses may be connected to, in every spelling."""

import pytest

from ferryman.core.errors import Denied
from ferryman.transfer.policy import AddressPolicy, literal_address

OPEN = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
PRIVATE = [
    "127.0.0.1", "127.9.9.9", "::1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd12::1", "fec0::1",
    "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::1", "::10.0.0.1",
]  # fmt: skip
NEVER = [
    "169.254.169.254", "169.254.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fe80::1%eth0", "[fe80::1]", "0.0.0.0", "0.1.2.3", "::",
    "224.0.0.1", "ff02::1", "240.0.0.1", "255.255.255.255",
    "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1", "::169.254.169.254", "2001:0:a9fe:a9fe::1", "2001:db8::5efe:a9fe:a9fe",
    "2001::5601:5601",  # Teredo: the client's address is inverted
]  # fmt: skip


@pytest.mark.parametrize("ip", OPEN)
@pytest.mark.parametrize("private", [True, False])
def test_public_addresses_are_allowed(ip: str, private: bool):
    AddressPolicy(private).check(ip)


@pytest.mark.parametrize("ip", PRIVATE)
def test_private_and_loopback_follow_the_setting(ip: str):
    AddressPolicy(private=True).check(ip)
    with pytest.raises(Denied) as refused:
        AddressPolicy(private=False).check(ip, "files.example")
    assert refused.value.code == "address_refused"
    assert "files.example" in refused.value.message
    assert ip in refused.value.message
    assert refused.value.advice


@pytest.mark.parametrize("ip", NEVER)
@pytest.mark.parametrize("private", [True, False])
def test_link_local_metadata_and_odd_addresses_never(ip: str, private: bool):
    with pytest.raises(Denied):
        AddressPolicy(private).check(ip)


@pytest.mark.parametrize("text", ["", "host", "1.2.3", "999.1.1.1", "1.2.3.4.5", "::g"])
def test_what_is_no_address_is_refused(text: str):
    with pytest.raises(Denied):
        AddressPolicy(private=True).check(text)


@pytest.mark.parametrize(
    "host",
    [
        "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "0xa9.0xfe.0xa9.0xfe", "169.254.43518", "169.16689662",
        "169.254.169.254.", "[::ffff:169.254.169.254]", "metadata.google.internal", "METADATA.google.internal.",
    ],
)  # fmt: skip
def test_odd_spellings_of_a_host_are_seen_before_dns(host: str):
    with pytest.raises(Denied):
        AddressPolicy(private=True).check_host(host)


@pytest.mark.parametrize("host", ["localhost", "api.localhost", "127.1", "0x7f.1", "2130706433", "[::1]"])
def test_loopback_names_follow_the_setting(host: str):
    AddressPolicy(private=True).check_host(host)
    with pytest.raises(Denied):
        AddressPolicy(private=False).check_host(host)


def test_ordinary_names_are_left_to_dns():
    for host in ("example.org", "10.example.org", "1e100.net", "0x.example"):
        AddressPolicy().check_host(host)
        assert literal_address(host) is None
