"""`overture test`: play the conversations of scripts with their agents, and say what came of them."""

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from overture.actions.save_knowledge import Prepared, prepare
from overture.agents import kinds, lint, reading, script_reading
from overture.agents.script import Play
from overture.cli import telling
from overture.cli.rehearsal.cassette import Cassette, read_cassette
from overture.cli.rehearsal.outcome import Outcome, Played, explain
from overture.domain.agent import AgentSpec
from overture.domain.errors import Invalid
from overture.domain.model_use import ModelPrice, Prices
from overture.domain.ports import ModelClient
from overture.domain.prices import MICROS
from overture.settings import Settings

_LARGEST: Final = 4 * script_reading.LONGEST  # bytes of a file


class Asked(Struct, frozen=True, kw_only=True):
    """How to play: only some conversations, all of them told, cassettes recorded with a live model."""

    only: str | None = None
    verbose: bool = False
    live: ModelClient | None = None

    def wants(self, play: Play) -> bool:
        """Whether a conversation is to be played."""
        return self.only is None or self.only.casefold() in play.name.casefold()


def run(
    files: Sequence[Path], *, only: str | None, junit: Path | None, verbose: bool, record: Settings | None = None
) -> None:
    """Play the files and print what came of them. Raises Stop where anything is not as expected."""
    from overture import log

    log.configure("critical", "text")
    asked = Asked(only=only, verbose=verbose)
    played = telling.run(_play_all(files, asked) if record is None else _record_all(files, asked, record))
    if junit is not None:
        from overture.cli.rehearsal.junit import write

        write(junit, played)
    count = sum(len(one.outcomes) for one in played)
    bad = sum(one.failed is not None for file in played for one in file.outcomes)
    unread = sum(one.wrong is not None for one in played)
    if only is not None and not count and not unread:
        telling.stop(f"No conversation's name contains {only!r}.", status=telling.MISUSED)
    print(f"\n{_count(count, 'conversation')} in {_count(len(files), 'file')}: {count - bad} good, {bad} failed.")
    if bad or unread:
        told = [f"{_count(bad, 'conversation')} failed"] if bad else []
        told += [f"{_count(unread, 'file')} could not be played"] if unread else []
        telling.stop(f"{' and '.join(told)}.")


async def _record_all(files: Sequence[Path], asked: Asked, settings: Settings) -> list[Played]:
    from overture.bootstrap import doors

    if not settings.models:
        telling.stop("The settings name no model to record.", hint="docs/settings.md: OVERTURE_MODEL_BASE_URL.")
    live = doors.open_models(settings)
    try:
        return await _play_all(files, replace(asked, live=live))
    finally:
        await live.aclose()


async def _play_all(files: Sequence[Path], asked: Asked) -> list[Played]:
    played = []
    for file in files:
        print(file)
        played.append(await _play_file(file, asked))
        if played[-1].wrong is not None:
            print(f"  error  {played[-1].wrong}")
            if played[-1].hint:
                print(f"         {played[-1].hint}")
    return played


async def _play_file(file: Path, asked: Asked) -> Played:
    try:
        written = script_reading.read_script(read_text(file), file=str(file))
        spec = read_agent(file.parent / written.agent)
        tape = None if written.cassette is None else file.parent / written.cassette
        cassette = None if tape is None else read_cassette(tape, asked.live)
        knowledge = read_knowledge({name: file.parent / path for name, path in written.knowledge.items()})
    except Invalid as refused:
        return Played(file=str(file), wrong=refused.description, hint=refused.hint)
    except telling.Stop as stopped:
        return Played(file=str(file), wrong=str(stopped), hint=stopped.hint)
    outcomes = []
    for play in filter(asked.wants, written.plays):
        outcomes.append(await _play(play, spec, cassette, knowledge))
        _tell(outcomes[-1], verbose=asked.verbose)
    if tape is not None and cassette is not None and asked.live is not None:
        whole = asked.only is None and all(one.failed is None for one in outcomes)
        print(f"  {tape}: {_count(cassette.write(tape, whole=whole), 'answer')}")
    return Played(file=str(file), outcomes=tuple(outcomes))


def _prices(play: Play, names: Iterable[str | None]) -> Prices:
    """What a conversation says that models cost, whichever endpoint its agent asks."""
    if (of := play.model_price) is None:
        return {}
    price = ModelPrice(input=round(of.input * MICROS), output=round(of.output * MICROS), currency="-")
    return dict.fromkeys([None, *names], price)


async def _play(play: Play, spec: AgentSpec, cassette: Cassette | None, knowledge: Mapping[str, Prepared]) -> Outcome:
    from overture.cli.rehearsal.expecting import Missed
    from overture.cli.rehearsal.house import open_house
    from overture.cli.rehearsal.player import Player, failed
    from overture.cli.rehearsal.stand_ins import ScriptedModels, ScriptedTools, SetClock
    from overture.cli.rehearsal.transcript import Transcript

    transcript = Transcript(SetClock(play.now))
    models = ScriptedModels(transcript.note, model_names(spec), cassette)
    tools = ScriptedTools(transcript.note, spec)
    began = time.perf_counter()
    missed_at = None
    prices = _prices(play, model_names(spec))
    async with open_house(play.now, models=models, tools=tools, transcript=transcript, prices=prices) as house:
        player = Player(play, spec, house, transcript, models=models, tools=tools, knowledge=knowledge)
        try:
            await player.plays()
        except Missed as missed:
            missed_at = failed(player, missed)
    seconds = time.perf_counter() - began
    return Outcome(name=play.name, seconds=seconds, failed=missed_at, transcript=tuple(transcript.lines()))


def model_names(spec: AgentSpec) -> tuple[str, ...]:
    """The names under which an agent may ask for a model."""
    return tuple(dict.fromkeys(["default", *(name for name in kinds.models(spec) if name is not None)]))


def read_agent(file: Path) -> AgentSpec:
    """The agent of a file, without an error. Raises Stop, or Invalid."""
    spec = reading.read_spec(read_text(file), file=str(file))
    errors = [finding for finding in lint.lint(spec) if finding.severity == "error"]
    if errors:
        more = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
        raise telling.Stop(f"{file}, {errors[0].where}: {errors[0].sentence}{more}", hint=errors[0].hint)
    return spec


def read_knowledge(files: Mapping[str, Path]) -> dict[str, Prepared]:
    """The knowledge bases of files, by name. Raises Stop, or Invalid."""
    found = {}
    for name, file in files.items():
        try:
            found[name] = prepare(file.read_bytes())
        except OSError as missing:
            raise telling.Stop(f"{file} cannot be read: {missing.strerror}.", status=telling.MISUSED) from None
        except Invalid as refused:
            raise telling.Stop(f"{file}: {refused.description}", hint=refused.hint) from None
    return found


def read_text(file: Path) -> str:
    """The text of a file. Raises Stop."""
    try:
        if file.stat().st_size > _LARGEST:
            telling.stop(f"{file} is too large.", hint="Split it.", status=telling.MISUSED)
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise telling.Stop(f"{file} is not UTF-8 text.", hint="Save it as UTF-8.", status=telling.MISUSED) from None
    except OSError as missing:
        raise telling.Stop(f"{file} cannot be read: {missing.strerror}.", status=telling.MISUSED) from None


def _tell(outcome: Outcome, *, verbose: bool) -> None:
    failed = outcome.failed
    print(f"  {'good  ' if failed is None else 'FAILED'} {outcome.name} ({outcome.seconds:.2f} s)")
    if verbose or failed is not None:
        print("\n".join(f"         {line}" for line in outcome.transcript))
    if failed is not None:
        print("\n".join(f"         {line}" for line in explain(failed)))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
