"""What a Memcached refuses, and what its members are told."""

from __future__ import annotations

import pytest

from components.middleware.memcached_settings import MOST_ACCOUNTS, room_for_data
from components.model.mistakes import StackError
from tests.components.conftest import read
from tests.components.model.values import IMAGE


def services(count):
    return {f"user-{number}": {"image": IMAGE, "uses": ["memcached"]} for number in range(count)}


def test_clients_that_leave_no_room_for_data_are_refused_with_what_to_change():
    with pytest.raises(StackError, match=r"maxConnections: 10000 leave 0 MiB of 128Mi for data; allow fewer, or give"):
        read(components={"memcached": {"maxConnections": 10000, "tls": {}}}).manifests()


def test_more_accounts_than_its_file_may_have_are_refused_by_name():
    most = MOST_ACCOUNTS - 1
    read(components={"controller": {"image": IMAGE}, "memcached": {}}, services=services(most)).manifests()
    with pytest.raises(StackError, match=rf"knows {most} services .* and {most + 1} use it; give user-{most} a Memc"):
        read(components={"controller": {"image": IMAGE}, "memcached": {}}, services=services(most + 1)).manifests()


def test_clients_with_tls_have_more_memory_set_aside():
    assert room_for_data("512Mi", 1024, tls=False) - room_for_data("512Mi", 1024, tls=True) == 16
    assert room_for_data("2Gi", 1024, tls=True) < 2048 * 0.9


def test_servers_of_a_binding_are_the_members_there_are():
    platform = read(components={"controller": {"image": IMAGE}, "memcached": {"replicas": 2}}, services=services(1))
    (cache,) = [each for each in platform.components if each.kind == "memcached"]
    told = cache.binding("user-0")["MEMCACHED_SERVERS"]
    assert told == "memcached-0.memcached-nodes.shop.svc:11211,memcached-1.memcached-nodes.shop.svc:11211"
