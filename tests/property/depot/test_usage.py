"""Shared and unique bytes add up."""

from hypothesis import given
from hypothesis import strategies as st

from ferryman.core.digests import Digest
from ferryman.depot.model import Ref
from ferryman.depot.usage import closure, per_reference

DIGESTS = [f"sha256:{number:064x}" for number in range(10)]


@given(
    st.dictionaries(st.sampled_from(DIGESTS[5:]), st.sets(st.sampled_from(DIGESTS))),
    st.dictionaries(st.sampled_from(DIGESTS), st.integers(0, 1000)),
    st.lists(st.sampled_from(DIGESTS[5:]), max_size=5),
)
def test_unique_is_what_goes_when_one_leaves(children, sizes, roots):
    refs = [Ref("a", f"t{place}", Digest.parse(root), "m", 0.0) for place, root in enumerate(roots)]
    whole = closure(roots, children)
    total = sum(sizes.get(digest, 0) for digest in whole)
    for place, item in enumerate(per_reference(refs, sizes, children)):
        others = closure(roots[:place] + roots[place + 1 :], children)
        assert item.unique == total - sum(sizes.get(digest, 0) for digest in others)
        mine = closure([roots[place]], children)
        assert item.unique + item.shared == sum(sizes.get(digest, 0) for digest in mine)
        assert item.blobs == len(mine & set(sizes))
