"""Files of cells, read by prometheus_client; slots, locked by the kernel."""

import os

import pytest
from monctl_metrics.slots import Slot
from monctl_metrics.store import Store, key
from prometheus_client.mmap_dict import MmapedDict, mmap_key


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "counter_0.db")


def read(path):
    return {key: value for key, value, *_ in MmapedDict.read_all_values_from_file(path)}


def test_prometheus_client_reads_what_was_stored(path):
    store = Store(path)
    keys = ["", "a", "abcd", "x" * 11, mmap_key("a", "a_total", ["l"], ["Grüße “{}”\n"], "")]
    for number, key in enumerate(keys):
        store.cell(key).add(number + 0.5)
    assert read(path) == {key: number + 0.5 for number, key in enumerate(keys)}


def test_a_key_is_that_of_prometheus_client():
    labels = {"view": "Grüße “{}”\n", "method": "GET"}
    assert key("a", "a_total", labels, "Help.") == mmap_key("a", "a_total", list(labels), list(labels.values()), "Help.")


def test_a_store_grows_under_cells_that_are_in_use(path):
    store = Store(path)
    first = store.cell("first")
    size = os.path.getsize(path)
    for number in range(5000):
        store.cell(f"some longer name of a cell with the number {number}").add(number)
    first.add(3)
    assert os.path.getsize(path) > 2 * size
    values = read(path)
    assert len(values) == 5001
    assert values["first"] == 3
    assert values["some longer name of a cell with the number 4711"] == 4711


def test_the_next_holder_continues_the_counters_of_the_previous(path):
    Store(path).cell("n").add(2)
    store = Store(path)
    store.cell("n").add(3)
    store.cell("m").add(1)
    assert read(path) == {"n": 5, "m": 1}


def test_space_is_allocated_before_it_is_written_to(path):
    Store(path)
    stat = os.stat(path)
    assert stat.st_blocks * 512 >= stat.st_size > 0


def in_child(function):
    """The result of a function (a small number) in a separate process."""
    child = os.fork()
    if child == 0:
        os._exit(function())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_slot_is_held_while_its_process_lives_and_free_afterwards(tmp_path):
    ours = Slot(str(tmp_path))
    assert ours.number == 0
    assert [in_child(lambda: Slot(str(tmp_path)).number) for _ in range(3)] == [1, 1, 1]
    assert sorted(os.listdir(tmp_path)) == ["slot-0.lock", "slot-1.lock"]


def test_a_new_holder_of_a_slot_removes_its_predecessors_gauges(tmp_path):
    for name in ("gauge_liveall_0.db", "gauge_livesum_0.db", "gauge_all_0.db", "gauge_liveall_1.db"):
        (tmp_path / name).touch()
    Slot(str(tmp_path))
    left = sorted(path.name for path in tmp_path.glob("*.db"))
    assert left == ["gauge_all_0.db", "gauge_liveall_1.db"]
