import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.address import POOL, Link, choose
from sandbox.errors import RefusedError

slots = st.integers(0, POOL.num_addresses // 4 - 1)


@given(slots)
def test_both_ends_of_a_link_lie_in_its_own_thirty(slot: int) -> None:
    link = Link(slot)
    assert ipaddress.ip_address(link.host) in link.network
    assert ipaddress.ip_address(link.node) in link.network
    assert link.host != link.node
    assert link.network.subnet_of(POOL)
    assert len(link.interface) <= 15


@given(st.sets(slots, max_size=40), st.sets(slots, max_size=40))
def test_a_chosen_link_meets_no_box_and_no_route(boxes: set[int], routed: set[int]) -> None:
    used = [Link(slot).network for slot in routed]
    link = choose(boxes, used)
    assert link.slot not in boxes
    assert not any(link.network.overlaps(network) for network in used)


def test_the_first_free_link_is_taken() -> None:
    assert choose([0, 1], [ipaddress.IPv4Network("10.201.0.8/30")]).slot == 3


def test_routes_elsewhere_do_not_matter() -> None:
    assert choose([], [ipaddress.IPv4Network("10.96.0.0/16"), ipaddress.IPv4Network("192.0.2.0/24")]).slot == 0


def test_a_taken_pool_is_refused_with_what_takes_it_and_what_to_do() -> None:
    with pytest.raises(RefusedError) as refused:
        choose([], [ipaddress.IPv4Network("10.0.0.0/8")])
    assert "10.0.0.0/8" in str(refused.value)
    assert "--context" in str(refused.value)
