"""The log: one line per fact, repeats counted, no secret, nobody else's lines."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from hashcenter_bridge import log
from hashcenter_bridge.config import MqttConfig
from hashcenter_bridge.key import Keys
from hashcenter_bridge.log import KIND_LINES, KIND_S, SAME_S, Handler, Json, Limits, Text

SECRET = "canary-of-the-log-77b1"


class Desk:
    """A log with a clock of its own."""

    def __init__(self, formatter: logging.Formatter) -> None:
        self.now = 0.0
        self.out = io.StringIO()
        self._handler = Handler(self.out, Limits(lambda: self.now))
        self._handler.setFormatter(formatter)
        self.logger = logging.Logger("hashcenter_bridge.loop")  # noqa: LOG001 - of its own
        self.logger.addHandler(self._handler)

    def lines(self) -> list[str]:
        return self.out.getvalue().splitlines()

    def end(self) -> None:
        self._handler.close()


@pytest.fixture
def text() -> Desk:
    return Desk(Text())


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_secrets", set())


def test_the_same_sentence_is_said_once_a_minute_and_then_counted(text: Desk) -> None:
    for second in range(int(SAME_S)):
        text.now = float(second)
        text.logger.warning("the broker is gone (%s)", "refused")
    text.now = SAME_S + 1
    text.logger.info("connected")
    first, counted, last = text.lines()
    assert first == "WARNING hashcenter_bridge.loop: the broker is gone (refused)"
    assert counted.startswith(f"INFO hashcenter_bridge.log: ({SAME_S - 1:.0f} more times: ")
    assert counted.endswith("hashcenter_bridge.loop: the broker is gone (refused))")
    assert last == "INFO hashcenter_bridge.loop: connected"


def test_one_kind_of_line_does_not_fill_the_log(text: Desk) -> None:
    for number in range(1000):
        text.logger.info("request refused: %s", number)
    text.logger.info("another fact")
    text.now = KIND_S
    text.logger.info("and another")
    lines = text.lines()
    assert len(lines) == KIND_LINES + 3
    assert lines[-3].endswith("another fact")
    left_out = 1000 - KIND_LINES
    assert f"({left_out} more lines like: hashcenter_bridge.loop: request ref" in lines[-2]


def test_what_was_left_out_is_said_at_the_end(text: Desk) -> None:
    text.logger.info("again")
    text.logger.info("again")
    text.end()
    assert text.lines()[-1].endswith("(1 more times: hashcenter_bridge.loop: again)")


def test_what_it_remembers_is_bounded(text: Desk) -> None:
    limits = Limits(lambda: 0.0)
    for number in range(5000):
        limits.take(f"kind {number}", f"text {number}")
    assert len(limits._same) <= 500


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\u2028", "\x1b[2J", "\x00"])
def test_who_is_quoted_writes_no_second_line(text: Desk, break_: str) -> None:
    text.logger.info("heard %s", f"hello{break_}ERROR hashcenter_bridge.loop: all is lost")
    assert len(text.lines()) == 1
    assert "\x1b" not in text.lines()[0]


def test_an_error_and_its_story_are_one_line(text: Desk) -> None:
    try:
        int("of ours")
    except ValueError:
        text.logger.exception("a task failed")
    (line,) = text.lines()
    assert line.startswith("ERROR hashcenter_bridge.loop: a task failed | Traceback")
    assert "ValueError: invalid literal for int() with base 10: 'of ours'" in line


def test_a_line_that_cannot_be_made_breaks_nobody(
    text: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    text.logger.info("%d watts", "many")
    text.logger.info("next")
    assert text.lines() == ["INFO hashcenter_bridge.loop: next"]


def test_as_json_each_line_is_an_object_with_the_faults_code() -> None:
    desk = Desk(Json())
    desk.logger.warning("GPU 0 is\nlost", extra={"code": "gpu_lost", "uid": "GPU-0"})
    desk.logger.info("fine")
    lost, fine = (json.loads(line) for line in desk.lines())
    assert lost.pop("time").endswith("Z")
    assert lost == {
        "level": "warning",
        "part": "loop",
        "text": "GPU 0 is lost",
        "code": "gpu_lost",
        "uid": "GPU-0",
    }
    assert fine.keys() == {"time", "level", "part", "text"}


@pytest.mark.parametrize("formatter", [Text(), Json()])
def test_a_secret_is_covered_whoever_quotes_it(formatter: logging.Formatter) -> None:
    desk = Desk(formatter)
    log.hide(SECRET)
    desk.logger.error("%s", f"https://x/?key={SECRET}")
    try:
        int(SECRET)
    except ValueError:
        desk.logger.exception("failed")
    desk.logger.info("%s", SECRET)
    desk.logger.info("%s", SECRET)
    desk.end()
    assert SECRET not in desk.out.getvalue()
    assert desk.out.getvalue().count("(a secret)") >= 3


def test_short_words_are_no_secrets() -> None:
    log.hide("root")
    assert log.covered("the root of it") == "the root of it"


def test_passwords_and_keys_are_hidden_where_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "password").write_text(f"{SECRET}\n")
    assert MqttConfig(password_file=tmp_path / "password").password() == SECRET
    monkeypatch.setenv("HASHCENTER_MQTT_PASSWORD", f"{SECRET}-2")
    MqttConfig().password()
    key = Keys(tmp_path).valid()[0]
    assert log.covered(f"{SECRET} {SECRET}-2 {key}").count("(a secret)") == 3


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    logger = logging.getLogger()
    kept, level = logger.handlers[:], logger.level
    yield logger
    logger.handlers[:] = kept
    logger.setLevel(level)


def test_it_is_set_up_once_for_all_parts(root: logging.Logger) -> None:
    out = io.StringIO()
    root.handlers[:] = []
    log.set_up("info", "text", io.StringIO())
    log.set_up("info", "json", out)
    logging.getLogger("hashcenter_bridge.x").info("said")
    logging.getLogger("hashcenter_bridge.x").debug("not said")
    logging.getLogger("aiohttp.access").info("not said either")
    assert [json.loads(line)["text"] for line in out.getvalue().splitlines()] == ["said"]
