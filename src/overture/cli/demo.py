"""The demo: Handset beside Overture, agents and phones set up, a conversation begun; until Ctrl-C, or played once."""

import asyncio
import contextlib
import signal
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from overture import log
from overture import settings as all_settings
from overture.adapters.clock import SystemClock
from overture.cli import demo_handset, demo_house, demo_play, demo_scene, demo_server, demo_switch, telling
from overture.cli.demo_handset import Handset
from overture.cli.demo_play import Stage
from overture.cli.demo_scene import Cast
from overture.cli.demo_server import Server
from overture.cli.demo_show import Screen
from overture.client import Client
from overture.domain.errors import Failure
from overture.settings import Settings
from overture.web import serving

_WATCHED: Final = timedelta(hours=1)  # a window that closes sooner is opened anew: the demo may be watched for a while


def run(*, port: int, handset_port: int, api_key: str | None, data: Path | None, once: bool) -> None:
    """Run the demo until Ctrl-C, or with `once` to the end of one conversation. Raises Stop."""
    screen = Screen()
    own = all_settings.read()
    folder = (data or Path(tempfile.mkdtemp(prefix="overture-demo-"))).expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    key = demo_house.find_key(folder, api_key)
    log.configure("warning", "text")
    demonstration = _Demo(screen, folder, key, own, port=port, handset_port=handset_port, once=once)
    telling.run(demonstration.play())


class _Demo:
    """One run of it."""

    def __init__(
        self, screen: Screen, folder: Path, key: str, own: Settings, *, port: int, handset_port: int, once: bool
    ) -> None:
        self._screen: Final = screen
        self._folder: Final = folder
        self._key: Final = key
        self._own: Final = own
        self._port: Final = port
        self._handset_port: Final = handset_port
        self._once: Final = once
        self._people: Final = demo_scene.cast(with_model=bool(own.models))
        self._serving = False

    async def play(self) -> None:
        """Set up, play, take down; a signal ends it at any time."""
        work = asyncio.get_running_loop().create_task(self._all())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, work.cancel)
        try:
            await work
        except asyncio.CancelledError:
            self._take_leave()

    def _take_leave(self) -> None:
        if self._once or not self._serving:
            telling.stop("Interrupted before it was finished; everything is stopped.", status=130)
        self._screen.say(f"\nStopped. What was said is kept in {self._folder}.")

    async def _all(self) -> None:
        port = self._find_port()
        webhook = f"http://{demo_house.HOST}:{port}/webhooks/twilio/inbound"
        async with contextlib.AsyncExitStack() as stack:
            server = await stack.enter_async_context(demo_server.loaded(self._screen.say))
            switch = await stack.enter_async_context(demo_switch.listening(demo_house.HOST))
            switch.wire(server.kill)
            config = demo_scene.handset_config(self._people, webhook, once=self._once, kill=switch.url)
            starting = demo_handset.running(self._folder / "handset", self._handset_port, config)
            with self._screen.step("Handset, the stand-in for Twilio"):
                handset = await stack.enter_async_context(starting)
            stack.push_async_callback(server.stop)  # before Handset: what is on its way shall arrive
            await self._beside(handset, server, port)

    async def _beside(self, handset: Handset, server: Server, port: int) -> None:
        orders = demo_house.orders(
            self._folder, port=port, handset_url=handset.base_url, once=self._once, own=self._own
        )
        set_up = orders.settings()
        with self._screen.step("the database, the key, everybody's consent"):
            closed = await _closed(handset, self._people)
            prepared = await demo_house.prepare(set_up, self._key, self._people, closed)
        for name in prepared.stopped:
            self._screen.say(f"        {name} had written STOP; the demo lifts it.")
        with self._screen.step("Overture, a program of its own"):
            await server.start(orders)
        async with contextlib.AsyncExitStack() as stack:
            operator = await stack.enter_async_context(Client(socket=set_up.socket))
            base_url = f"http://{demo_house.HOST}:{port}"
            client = await stack.enter_async_context(Client(base_url=base_url, key=self._key))
            stage = Stage(
                screen=self._screen,
                handset=handset,
                operator=operator,
                client=client,
                people=self._people,
                base_url=base_url,
                key=self._key,
                folder=self._folder,
            )
            playing = asyncio.get_running_loop().create_task(demo_play.play(stage, prepared.words, once=self._once))
            await self._until_one_ends(playing, server.stopped, handset)

    async def _until_one_ends(self, playing: asyncio.Task[None], stopping: asyncio.Event, handset: Handset) -> None:
        died = asyncio.get_running_loop().create_task(handset.ended())
        told = asyncio.get_running_loop().create_task(stopping.wait())
        self._serving = True
        try:
            await asyncio.wait({playing, told, died}, return_when=asyncio.FIRST_COMPLETED)
            if stopping.is_set():
                telling.stop("Overture has stopped by itself, and the demo with it.")
            if died.done():
                telling.stop(f"Handset has stopped by itself (status {died.result()}), and the demo with it.")
            playing.result()
        finally:
            for task in (playing, died, told):
                task.cancel()
            await asyncio.gather(playing, died, told, return_exceptions=True)

    def _find_port(self) -> int:
        """The port that Overture will listen on. Raises Stop where it is taken."""
        try:
            with serving.listen(demo_house.HOST, self._port) as door:
                return int(door.getsockname()[1])
        except Failure as taken:
            telling.stop(taken.description, hint="Choose another --port (make demo PORT=9000), 0 for any that is free.")


async def _closed(handset: Handset, people: tuple[Cast, ...]) -> list[Cast]:
    """Whose WhatsApp window is not open for a while. Blocks of earlier runs are lifted on the way."""
    phones, closed = await handset.phones(), []
    for person in people:
        phone = phones.get(person.phone, {})
        if person.sender in phone.get("opted_out_of", []):
            await handset.lifts_block(person.phone, person.sender)
        if person.channel == "whatsapp":
            closes_at = phone.get("window_closes_at", {}).get(person.sender)
            if closes_at is None or datetime.fromisoformat(closes_at) < SystemClock().now() + _WATCHED:
                closed.append(person)
    return closed
