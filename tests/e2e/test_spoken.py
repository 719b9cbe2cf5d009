"""The whole way of a spoken question, without any network: a voice in, a voice out.

Piper speaks the question (a WAV), a Wyoming satellite sends it to Home Assistant, Whisper on the
rig hears it, the rig's model answers through Assist, Piper on the rig speaks the answer and the
satellite plays it; Whisper then writes down what was played.
What the model says is its own affair: one that is so small knows little, and chooses no tools.
"""

import re
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.satellite import Sound, satellite
from tests.e2e.spoken_home import SpokenHome, heard, spoken
from tools.demo.ports import free_port
from tools.demo.processes import Processes
from tools.setup.speech import speech

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.speech,
    pytest.mark.timeout(900),
]
QUESTION = "What is the capital of France?"
ANSWER_WITHIN_S = 180.0


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[SpokenHome]:
    """A home with ears and a mouth, running."""
    processes = Processes(tmp_path / "logs", f"spoken-{tmp_path.name}")
    try:
        home = SpokenHome(tmp_path, processes, speech(tmp_path))
        await home.start()
        yield home
    finally:
        await processes.stop_all()
    assert not processes.leftovers()


def words(text: str) -> list[str]:
    """Return what a listener can tell apart."""
    return re.findall(r"[a-z]+", text.lower())


def through_a_wav(sound: Sound, path: Path) -> Sound:
    """Return the sound as it is in the WAV file that it is written to."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sound.rate)
        file.writeframes(sound.pcm)
    with wave.open(str(path)) as file:
        return Sound(file.readframes(file.getnframes()), file.getframerate())


async def test_a_spoken_question_is_heard_and_answered_aloud(
    house: SpokenHome, tmp_path: Path
) -> None:
    async with house.home() as home, satellite(free_port()) as kitchen:
        await house.prefer_its_assistant(home)
        await house.add_wyoming(home, kitchen.port)
        question = through_a_wav(await spoken(house.mouth, QUESTION), tmp_path / "question.wav")
        assert question.seconds > 1

        talk = await kitchen.ask(question, ANSWER_WITHIN_S)

        assert not talk.error
        assert {"what", "capital", "france"} <= set(words(talk.heard)), talk.heard

        answer = through_a_wav(talk.sound, tmp_path / "answer.wav")
        listened = words(await heard(house.ears, answer))
        said = words(talk.answer)
        assert said
        understood = [word for word in said if word in listened]
        assert len(understood) >= 0.6 * len(said), f"{said} was heard as {listened}"
