"""What is wrong: it appears once, lasts, goes once; and every cause has its sentence."""

from dataclasses import replace
from pathlib import Path

from hypothesis import given, strategies as st

from hashcenter_bridge.arbiter.types import Track
from hashcenter_bridge.child import ChildState
from hashcenter_bridge.diagnosis import named, wrong_now
from hashcenter_bridge.errors import DeviceFault
from hashcenter_bridge.faults import Faults, Key
from hashcenter_bridge.wire.values import Effect
from tests.bridge.rigs import Answerer, Bench, Hasher

LOST: Key = ("gpu_lost", "GPU-0")
DISK: Key = ("storage", None)


def test_a_fault_appears_once_and_goes_once() -> None:
    faults = Faults()
    assert faults.update({LOST: "it is gone"}, 10.0) == ([LOST], [])
    assert faults.update({LOST: "it is still gone"}, 20.0) == ([], [])
    assert faults.update({}, 30.0) == ([], [LOST])
    assert faults.update({}, 40.0) == ([], [])


def test_a_fault_says_since_when_and_what_is_known_now() -> None:
    faults = Faults()
    faults.update({LOST: "it is gone"}, 10.0)
    faults.update({DISK: "the disk is full", LOST: "it is still gone"}, 20.0)
    first, second = faults.list(25.0)
    assert (first.code, first.uid, first.text, first.since_s) == (*LOST, "it is still gone", 15.0)
    assert (second.code, second.uid, second.since_s) == (*DISK, 5.0)


def test_a_fault_that_comes_back_is_new() -> None:
    faults = Faults()
    faults.update({LOST: "x"}, 0.0)
    faults.update({}, 5.0)
    assert faults.update({LOST: "x"}, 9.0) == ([LOST], [])
    assert faults.list(9.0)[0].since_s == 0.0


def test_a_long_story_is_cut_to_what_the_wire_takes() -> None:
    faults = Faults()
    faults.update({DISK: "x" * 5000}, 0.0)
    assert len(faults.list(0.0)[0].text) == 400


keys = st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from([None, "GPU-0"]))


@given(st.lists(st.dictionaries(keys, st.text(max_size=5)), max_size=20))
def test_every_fault_that_appeared_is_listed_until_it_goes(
    history: list[dict[Key, str]],
) -> None:
    faults, known = Faults(), set[Key]()
    for now, current in enumerate(history):
        appeared, gone = faults.update(current, float(now))
        assert not known & set(appeared)
        assert set(gone) <= known
        known = (known | set(appeared)) - set(gone)
        assert known == set(current)
        assert {(one.code, one.uid) for one in faults.list(float(now))} == known


async def test_nothing_is_wrong_with_a_healthy_rig(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.miners, bench.runners = [Hasher()], [Answerer()]
    await bench.start()
    assert wrong_now(bench.rig, {}, 0.0) == {}
    await bench.look()
    assert wrong_now(bench.rig, {}, 0.0) == {}


async def test_every_cause_has_its_sentence(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.miners, bench.runners = [Hasher()], [Answerer()]
    await bench.start()
    bench.devices.samples["GPU-0"] = DeviceFault("gpu_lost", "it has fallen off the bus")
    bench.miners[0].reading = None
    bench.runners[0].is_ready = False
    bench.now = 3.0
    await bench.look()
    track = Track(200.0, 0.0, 350.0, None, hashes=True, effect=Effect.NO_EFFECT)
    bench.rig.state = replace(
        bench.rig.state,
        cooling=frozenset({"GPU-0"}),
        tracks={"GPU-0": replace(track, failures=(1.0, 2.0, 3.0))},
    )
    bench.rig.store._failures = {tmp_path: "the disk is full"}
    wrong = wrong_now(bench.rig, {"GPU-0": DeviceFault("limit_refused", "it refused 200 W")}, 4.0)
    assert set(wrong) == {
        ("gpu_lost", "GPU-0"),
        ("limit_refused", "GPU-0"),
        ("no_effect", "GPU-0"),
        ("no_effect_often", "GPU-0"),
        ("too_hot", "GPU-0"),
        ("runner_failed", None),
        ("miner_failed", None),
        ("storage", None),
    }
    assert wrong["gpu_lost", "GPU-0"] == "RTX GPU-0: it has fallen off the bus"
    assert "200 W" in wrong["no_effect", "GPU-0"]
    assert wrong["miner_failed", None] == "miner cannot be reached"


def test_a_device_is_named_once() -> None:
    assert named("RTX", "it is gone") == "RTX: it is gone"
    assert named("RTX", "RTX has fallen off the bus") == "RTX has fallen off the bus"


async def test_one_look_that_failed_is_no_news(tmp_path: Path) -> None:
    bench = await Bench(tmp_path).start()
    await bench.look()
    bench.now = 2.0
    bench.devices.samples["GPU-0"] = DeviceFault("driver_wedged", "it does not answer")
    await bench.look()
    assert wrong_now(bench.rig, {}, bench.now) == {}
    bench.now = 3.0
    assert list(wrong_now(bench.rig, {}, bench.now)) == [("driver_wedged", "GPU-0")]


async def test_a_pool_is_lost_only_after_a_while(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.miners = [Hasher()]
    await bench.start()
    assert bench.miners[0].reading is not None
    bench.miners[0].reading = replace(bench.miners[0].reading, pool_connected=False)
    await bench.look()
    bench.now = 19.0
    await bench.look()
    assert wrong_now(bench.rig, {}, bench.now) == {}
    bench.now = 20.0
    assert wrong_now(bench.rig, {}, bench.now) == {("pool_lost", None): "miner has lost its pool"}
    bench.miners[0].reading = replace(bench.miners[0].reading, pool_connected=True)
    await bench.look()
    assert wrong_now(bench.rig, {}, bench.now) == {}


async def test_two_failed_programs_are_both_named(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.miners = [Hasher("one"), Hasher("two")]
    await bench.start()
    for hasher in bench.miners:
        hasher.reading = None
    await bench.look()
    text = wrong_now(bench.rig, {}, 0.0)["miner_failed", None]
    assert text == "one cannot be reached; two cannot be reached"


async def test_a_failed_child_says_why(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.miners = [Hasher()]
    await bench.start()
    bench.adopt_child(ChildState.FAILED).why = "it ended with exit code 1"
    assert wrong_now(bench.rig, {}, 0.0) == {("miner_failed", None): "it ended with exit code 1"}
