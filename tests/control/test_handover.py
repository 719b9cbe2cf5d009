"""The back-up takes a room over and gives it back, and never fights a person's hand on it."""

from dataclasses import dataclass, field

from custom_components.hashcenter.control.handover import SETTLES_S, Handover, Setting, follow

OFF = Setting("off", 16.0)
HEAT = Setting("heat", 21.0)
START = 1_800_000_000.0


@dataclass
class Furnace:
    """A thermostat that does at once what it is told, unless a test says otherwise."""

    shows: Setting | None = OFF
    obeys: bool = True
    memory: Handover | None = None
    now: float = START
    told: list[Setting] = field(default_factory=list)

    def look(self, heat: Setting | None, minutes: int = 1) -> None:
        for _ in range(minutes):
            self.now += 60.0
            self.memory, setting = follow(self.memory, heat, self.shows, self.now)
            if setting is not None:
                self.told.append(setting)
                if self.obeys:
                    self.shows = setting


def test_a_room_that_needs_no_backup_leaves_it_alone() -> None:
    furnace = Furnace()
    furnace.look(None, 10)
    assert furnace.told == []
    assert furnace.memory is None


def test_the_backup_takes_over_at_the_rooms_target_and_is_what_it_was_afterwards() -> None:
    furnace = Furnace()
    furnace.look(HEAT, 30)
    assert furnace.told == [HEAT]
    furnace.look(None, 10)
    assert furnace.told == [HEAT, OFF]
    assert furnace.memory is None


def test_a_backup_that_heats_already_is_left_as_it_is() -> None:
    furnace = Furnace(shows=HEAT)
    furnace.look(HEAT, 5)
    furnace.look(None, 5)
    assert furnace.told == []


def test_the_backup_follows_another_target_of_the_room() -> None:
    furnace = Furnace()
    furnace.look(HEAT, 5)
    warmer = Setting("heat", 22.5)
    furnace.look(warmer, 5)
    furnace.look(None, 5)
    assert furnace.told == [HEAT, warmer, OFF]


def test_a_persons_hand_on_the_backup_is_not_fought_and_stays_afterwards() -> None:
    for hand in (Setting("off", 21.0), Setting("heat", 24.0)):
        furnace = Furnace()
        furnace.look(HEAT, 5)
        furnace.shows = hand
        furnace.look(HEAT, 60)
        furnace.look(Setting("heat", 19.0), 5)
        assert furnace.told == [HEAT], "not even for another target of the room"
        furnace.look(None, 5)
        assert furnace.told == [HEAT]
        assert furnace.shows == hand
        assert furnace.memory is None


def test_after_a_persons_hand_the_next_need_is_a_new_one() -> None:
    furnace = Furnace()
    furnace.look(HEAT, 5)
    furnace.shows = Setting("off", 21.0)
    furnace.look(HEAT, 5)
    furnace.look(None, 5)
    furnace.look(HEAT, 5)
    assert furnace.told == [HEAT, HEAT]


def test_a_backup_that_rounds_its_target_is_no_persons_hand() -> None:
    furnace = Furnace(obeys=False)
    furnace.look(HEAT)
    furnace.shows = Setting("heat", 20.5)
    furnace.look(HEAT, 30)
    assert furnace.told == [HEAT]
    assert furnace.memory is not None
    assert not furnace.memory.theirs


def test_a_backup_that_ignores_what_it_is_told_is_told_three_times() -> None:
    furnace = Furnace(obeys=False)
    furnace.look(HEAT, 60)
    assert furnace.told == [HEAT] * 3
    furnace.look(None, 60)
    assert furnace.told == [HEAT] * 3, "it is what it was"


def test_a_backup_that_does_not_go_back_is_told_three_times() -> None:
    furnace = Furnace()
    furnace.look(HEAT, 5)
    furnace.obeys = False
    furnace.look(None, 60)
    assert furnace.told == [HEAT] + [OFF] * 3
    assert furnace.memory is None


def test_a_need_that_returns_while_the_backup_goes_back_remembers_what_it_was() -> None:
    furnace = Furnace()
    furnace.look(HEAT, 5)
    furnace.obeys = False
    furnace.look(None)
    furnace.look(HEAT)
    assert furnace.memory is not None
    assert furnace.memory.before == OFF


def test_a_backup_that_is_unavailable_is_waited_for() -> None:
    furnace = Furnace(shows=None)
    furnace.look(HEAT, 10)
    assert furnace.told == []
    furnace.shows = OFF
    furnace.look(HEAT, 2)
    assert furnace.told == [HEAT]
    furnace.shows = None
    furnace.look(None, int(SETTLES_S))
    furnace.shows = HEAT
    furnace.look(None, 2)
    assert furnace.told == [HEAT, OFF]


def test_a_backup_without_a_target_is_turned_on_and_off() -> None:
    furnace = Furnace(shows=Setting("off"))
    furnace.look(HEAT, 10)
    furnace.look(None, 10)
    assert furnace.told == [HEAT, Setting("off")]
