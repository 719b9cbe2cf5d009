"""A person's hand on the vendor's page holds; a boot and the machine's own protection do not."""

from hashcenter_bridge.arbiter.asic.types import Verb
from hashcenter_bridge.wire.values import Activity
from tests.bridge.arbiter.asic.scene import BITAXE, PLAIN, STEPS, WATTS, Scene, scene


def heating(it: Scene, power_w: float = 2000.0) -> Scene:
    it.heat(power_w, 400)
    it.acts.clear()
    return it


def test_a_setting_changed_by_hand_holds_for_four_hours() -> None:
    it = heating(scene())
    it.machine.setting = 1200.0
    wanted = it.heat(2000.0, 3600)
    assert it.acts == []
    assert "by hand" in wanted.reason
    assert (wanted.available_w, wanted.available_why) == (
        0.0,
        "changed by hand on the machine itself",
    )
    assert wanted.hold_s is not None
    it.heat(2000.0, 3 * 3600 + 300)
    assert it.machine.setting == 2000.0


def test_a_pause_by_hand_holds() -> None:
    it = heating(scene())
    it.machine.hashes = False
    it.heat(2000.0, 3600)
    assert not it.machine.hashes


def test_a_start_by_hand_holds_although_nobody_asks_for_heat() -> None:
    it = scene()
    it.heat(0.0, 300)
    it.machine.start(it.now)
    it.run(600)
    assert it.machine.hashes


def test_a_hand_does_not_pass_the_owners_or_the_circuits_limit() -> None:
    it = heating(scene(rules={"max_w": 2500.0}))
    it.machine.setting = 3000.0
    it.heat(2000.0, 60)
    assert it.machine.watts(it.now) == 2500.0
    it.heat(2000.0, 60, cap_w=1100.0)
    assert it.machine.watts(it.now) == 1100.0


def test_stop_all_ends_a_hold() -> None:
    it = heating(scene())
    it.machine.setting = 1200.0
    it.heat(2000.0, 60)
    it.stopped = True
    it.run(30)
    assert not it.machine.hashes


def test_after_its_own_reboot_it_is_set_again() -> None:
    it = heating(scene())
    it.machine.setting = 3000.0
    it.machine.reboot(it.now)
    it.heat(2000.0, 120)
    assert it.machine.setting == 2000.0
    assert it.state.hold_until == 0.0


def test_a_pause_that_a_reboot_forgot_is_told_again_at_once() -> None:
    it = scene(BITAXE)
    it.heat(0.0, 100)
    it.machine.reboot(it.now)
    it.heat(0.0, 15)
    assert not it.machine.hashes
    assert it.verbs() == [Verb.PAUSE, Verb.PAUSE]


def test_without_an_uptime_a_silence_may_have_been_a_reboot() -> None:
    it = heating(scene(tells_uptime=False))
    it.machine.reachable = False
    it.heat(2000.0, 60)
    it.machine.reachable = True
    it.machine.setting = 3000.0
    it.heat(2000.0, 60)
    assert it.machine.setting == 2000.0
    it.acts.clear()
    it.machine.setting = 1500.0
    it.heat(2000.0, 60)
    assert it.acts == []


def test_what_protects_itself_is_followed_and_then_not_pushed() -> None:
    it = heating(scene(STEPS), 2100.0)
    it.machine.protecting = "it overheated"
    it.machine.setting = "middle"
    wanted = it.heat(2100.0, 60)
    assert it.acts == []
    assert (wanted.available_w, wanted.available_why) == (1500.0, "it overheated")
    it.machine.protecting = None
    it.heat(2100.0, 1800)
    assert it.machine.setting == "middle"
    it.heat(2100.0, 2400)
    assert it.machine.setting == "high"


def test_what_tripped_is_not_started_while_it_protects_itself() -> None:
    it = heating(scene())
    it.machine.protecting = "it overheated"
    it.machine.hashes = False
    it.machine.rests = Activity.FAULT
    it.heat(2000.0, 120)
    assert it.acts == []


def test_what_we_paused_may_start_although_its_firmware_guards_it() -> None:
    it = scene(PLAIN, hashes=False)
    it.machine.protecting = "its thermal management chooses the profile"
    it.heat(1300.0, 120)
    assert it.verbs() == [Verb.RESUME]


def test_what_counts_its_uptime_from_the_start_of_mining_had_no_power_cut() -> None:
    it = scene(hashes=False)
    it.heat(2000.0, 5)
    it.machine.booted_at = it.now
    it.heat(2000.0, 200)
    assert it.state.boot_seen_at is None
    assert it.machine.watts(it.now) == 2000.0


def test_our_own_acts_are_nobodys_hand() -> None:
    it = scene()
    it.act_takes_s = 21.0
    for asked_w in (2000.0, 0.0, 2500.0, 1200.0, 0.0, 3000.0):
        it.heat(asked_w, 30)
    it.heat(1500.0, 900)
    assert it.state.hold_until == 0.0
    assert it.machine.watts(it.now) == 1500.0


def test_a_slow_look_from_before_an_act_is_not_believed() -> None:
    it = heating(scene(WATTS), 2000.0)
    it.interval_s = 40.0
    it.lease(0.0)
    it.step()
    it.heat(2000.0, 5)
    it.heat(0.0, 120)
    assert it.state.hold_until == 0.0
    assert not it.machine.hashes
