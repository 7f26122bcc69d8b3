"""Bundles between two sites: whole, split, shuffled, damaged, against an inventory, by strangers, and read by skopeo."""

import io
import json
import random
import subprocess
import tarfile

import pytest

from ferryman.core.clock import SystemClock
from ferryman.core.errors import Conflict, Corrupt, Denied, Invalid, NotFound
from ferryman.db import Database, sqlite_url
from ferryman.depot.bundles.create import Creation, Order
from ferryman.depot.bundles.inventory import read_inventory, write_inventory
from ferryman.depot.bundles.keys import Keys
from ferryman.depot.bundles.load import Loading
from ferryman.depot.bundles.verify import verify
from ferryman.depot.bundles.volume import open_all, volumes_of
from ferryman.depot.service import Depot
from tests.conformance.depot.making import ORIGIN, image, index, put_image, store, subject

APP = "quay.io/team/app"


class Site:
    def __init__(self, folder, depot=None):
        folder.mkdir()
        self.folder, self.place = folder, depot or folder / "depot"
        self.keys = Keys(folder / "keys")
        self.open()

    def open(self):
        self.database = Database(sqlite_url(self.folder / "ferry.db"))
        self.database.migrate()
        self.depot = Depot(self.place, self.database, SystemClock())

    def reopen(self):
        self.close()
        self.open()

    def create(self, *refs, to=None, **options):
        path = to or self.folder / "app.bundle"
        order = Order(refs, path, **options)
        return Creation(self.depot, self.keys, order).run(lambda _: None)

    def load(self, *paths):
        volumes, broken = open_all(volumes_of(list(paths)), self.keys)
        try:
            return Loading(self.depot, volumes).run(lambda _: None, broken)
        finally:
            for one in volumes:
                one.close()

    def verify(self, *paths):
        volumes, broken = open_all(volumes_of(list(paths)), self.keys)
        try:
            return verify(volumes, lambda _: None, broken)
        finally:
            for one in volumes:
                one.close()

    def close(self):
        self.depot.close()
        self.database.close_now()


@pytest.fixture
def here(tmp_path):
    site = Site(tmp_path / "here")
    yield site
    site.close()


@pytest.fixture
def there(tmp_path, here):
    site = Site(tmp_path / "there")
    site.keys.trust("here", str(here.keys.own()))
    here.keys.trust("there", str(site.keys.own()))
    yield site
    site.close()


def fill(depot):
    """An index of two, a signature by tag, a referrer, and another image that shares a layer."""
    base = random.Random(1).randbytes(400_000)
    one = put_image(depot, APP, None, base, random.Random(2).randbytes(90_000), config=b'{"a":1}')
    two = put_image(depot, APP, None, base, random.Random(3).randbytes(70_001), config=b'{"a":2}')
    both = index(one, two)
    depot.put_manifest(APP, both, "1.0", ORIGIN)
    put_image(depot, APP, f"sha256-{both.digest.hex}.sig", b"signature", config=b'{"s":1}')
    store(depot, b"list of parts")
    depot.put_manifest(APP, image(b"list of parts", config=b'{"a":1}', subject=subject(one)), None, ORIGIN)
    put_image(depot, "team/other", "2", base, b"", config=b'{"a":3}')
    return both


def everything(depot):
    return {str(ref): ref.digest for ref in depot.refs(limit=1000)}


def digests(depot):
    return {blob.digest for blob in depot.find_blobs(limit=1000)[0]}


def same(here, there):
    assert everything(there.depot) == everything(here.depot)
    assert digests(there.depot) >= digests(here.depot)
    assert not list(there.depot.fsck())


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("zstd", [False, True])
def test_whole(here, there, zstd):
    both = fill(here.depot)
    made = here.create(f"{APP}:1.0", "team/other:2", zstd=zstd)
    assert there.verify(*made.files).size == made.bundle.size
    loaded = there.load(*made.files)
    assert loaded.complete
    assert loaded.brought == made.bundle.size
    same(here, there)
    assert there.depot.referrers(APP, both.children[0].digest)
    again = there.load(*made.files)
    assert (again.brought, again.there) == (0, made.bundle.size)


@pytest.mark.parametrize("zstd", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_volumes_in_any_order(here, there, seed, zstd):
    fill(here.depot)
    size = random.Random(seed).randrange(80_000, 300_000)
    made = here.create(f"{APP}:1.0", "team/other:2", volume_size=size, zstd=zstd)
    assert len(made.files) > 1
    assert all(path.stat().st_size <= size for path in made.files)
    files = list(made.files)
    random.Random(seed).shuffle(files)
    for at, path in enumerate(files):
        assert not everything(there.depot)
        loaded = there.load(path)
        assert loaded.complete == (at == len(files) - 1)
        left = {made.files.index(one) + 1 for one in files[at + 1 :]}
        assert set(loaded.missing) <= left
    same(here, there)


def test_all_volumes_at_once_leave_nothing_beside(here, there):
    fill(here.depot)
    here.create(f"{APP}:1.0", "team/other:2", volume_size=100_000)
    assert there.load(here.folder / "app.bundle").complete
    assert digests(there.depot) == digests(here.depot)


def test_a_damaged_volume_is_named_and_alone_brought_again(here, there):
    fill(here.depot)
    made = here.create(f"{APP}:1.0", volume_size=100_000)
    bad = made.files[2]
    good = bad.read_bytes()
    flip(bad, len(good) // 2 + 9000)
    with pytest.raises(Corrupt, match=bad.name) as told:
        there.verify(*made.files)
    assert told.value.details["volumes"] == [str(bad)]
    with pytest.raises(Corrupt) as told:
        there.load(*made.files)
    assert (told.value.code, told.value.details["volumes"]) == ("volume_damaged", [str(bad)])
    assert not everything(there.depot)
    bad.write_bytes(good)
    loaded = there.load(bad)
    assert loaded.complete
    assert loaded.brought + loaded.there == made.bundle.size


@pytest.mark.parametrize("where", [0, 0.001, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
@pytest.mark.parametrize("zstd", [False, True])
def test_no_flipped_byte_stays_unseen(here, there, where, zstd):
    fill(here.depot)
    made = here.create(f"{APP}:1.0", volume_size=None, zstd=zstd)
    flip(made.files[0], int(where * (made.files[0].stat().st_size - 1)))
    with pytest.raises((Corrupt, Invalid), match=r"app\.bundle"):
        there.verify(*made.files)
    try:
        there.load(*made.files)
    except (Corrupt, Invalid):
        assert not everything(there.depot)


def test_missing_cut_and_foreign_volumes(here, there):
    fill(here.depot)
    made = here.create(f"{APP}:1.0", volume_size=100_000)
    with pytest.raises(NotFound, match=r"missing: 2") as told:
        there.verify(*made.files[:1], *made.files[2:])
    assert told.value.details["missing"] == [2]
    assert there.load(*made.files[:1], *made.files[2:]).missing == (2,)
    with pytest.raises(NotFound, match="no file"):
        there.load(here.folder / "none")
    kept = made.files[1].read_bytes()
    made.files[1].write_bytes(kept[:-5000])
    with pytest.raises(Corrupt, match=r"app\.bundle\.002"):
        there.load(made.files[1])
    first = made.files[0].rename(here.folder / "first")
    here.create("team/other:2", volume_size=100_000)
    with pytest.raises(Conflict, match="another bundle"):
        there.load(first, here.folder / "app.bundle.001")
    assert not everything(there.depot)


def test_only_what_is_missing(here, there, tmp_path):
    fill(here.depot)
    there.load(*here.create("team/other:2").files)
    path = tmp_path / "there.inventory"
    write_inventory(there.depot, there.keys, path)
    inventory = read_inventory(path, here.keys)
    assert inventory.blobs == digests(there.depot)
    whole = {one.digest for one in here.create(f"{APP}:1.0").bundle.parts}
    less = here.create(f"{APP}:1.0", against=inventory)
    assert {one.digest for one in less.bundle.parts} == whole - digests(there.depot)
    assert set(less.bundle.assumed) == whole & digests(there.depot)
    assert there.load(*less.files).complete
    same(here, there)
    stranger = Site(tmp_path / "third")
    stranger.keys.trust("here", str(here.keys.own()))
    with pytest.raises(NotFound, match="builds on") as told:
        stranger.load(*less.files)
    assert told.value.code == "bundle_base_missing"
    with pytest.raises(Denied, match=there.keys.own().id):
        read_inventory(path, stranger.keys)
    flip(path, 400)
    with pytest.raises(Corrupt, match="signature"):
        read_inventory(path, here.keys)
    stranger.close()


def test_an_unknown_key_is_refused_with_the_remedy(here, there):
    fill(here.depot)
    made = here.create(f"{APP}:1.0")
    there.keys.untrust("here")
    with pytest.raises(Denied, match=here.keys.own().id) as told:
        there.load(*made.files)
    assert told.value.code == "key_untrusted"
    assert str(here.keys.own()) in told.value.advice
    assert not digests(there.depot)


@pytest.mark.parametrize("kind", ["path", "link", "device", "huge", "twice"])
def test_tars_with_other_things_in_them(here, there, kind):
    fill(here.depot)
    path = here.create("team/other:2").files[0]
    whole = path.read_bytes()
    with tarfile.open(path) as tar:
        last = tar.getmembers()[-1]
    info = tarfile.TarInfo({"path": "../../evil"}.get(kind, last.name))
    info.size = last.size if kind != "huge" else 1 << 50
    info.type = {"link": tarfile.SYMTYPE, "device": tarfile.CHRTYPE}.get(kind, tarfile.REGTYPE)
    info.linkname = "/etc/passwd" if kind == "link" else ""
    block = info.tobuf(tarfile.GNU_FORMAT)
    at = last.offset if kind != "twice" else len(whole) - 1024
    cut = len(block) if kind != "twice" else 0
    path.write_bytes(whole[:at] + block + whole[at + cut :])
    with pytest.raises((Corrupt, Invalid), match=r"app\.bundle"):
        there.verify(path)
    if kind != "twice":
        with pytest.raises((Corrupt, Invalid)):
            there.load(path)
        assert not everything(there.depot)


def test_other_files(here, there, tmp_path):
    path = tmp_path / "some.tar"
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo("a")
        info.size = 3
        tar.addfile(info, io.BytesIO(b"abc"))
    for content in (b"", b"x" * 2000, path.read_bytes(), b"\x1f\x8b" + b"x" * 900, b"\x28\xb5\x2f\xfdxx"):
        path.write_bytes(content)
        with pytest.raises((Corrupt, Invalid)):
            there.load(path)


def test_skopeo_reads_it(here, there, tmp_path):
    both = fill(here.depot)
    path = here.create(f"{APP}:1.0").files[0]
    target = tmp_path / "read"
    words = [
        "skopeo",
        "copy",
        "--all",
        "--preserve-digests",
        f"oci-archive:{path}:{APP}:1.0",
        f"dir:{target}",
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert (target / "manifest.json").read_bytes() == both.raw
    assert json.loads(both.raw)["manifests"]
