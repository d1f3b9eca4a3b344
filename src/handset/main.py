"""The command `handset`."""

import argparse
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handset.clock import Line

DESCRIPTION = """\
Handset stands in for Twilio's messaging: the REST API, the webhooks, the carrier, and phones in your browser.
Point your Twilio client at its address, open the same address in a browser, and write to yourself."""


def parser() -> argparse.ArgumentParser:
    """What may stand on the command line."""
    parser = argparse.ArgumentParser(
        prog="handset", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=_port, default=8081, help="the port to listen on; 0 chooses a free one (8081)")
    parser.add_argument("--config", type=Path, metavar="FILE.json", help="accounts, numbers, phones, templates, delays")
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep messages and phones there over a restart")
    parser.add_argument("--seed", type=int, metavar="N", help="give the same SIDs in every run")
    parser.add_argument(
        "--clock-rate", type=float, metavar="RATE", help="how many seconds pass here for each real one (1)"
    )
    parser.add_argument(
        "--strict-callbacks", action="store_true", help="refuse callback URLs on loopback and private hosts, as Twilio"
    )
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise ValueError(text)
    return port


def _clock(line: "Line | None", rate: float | None) -> "Line | None":
    from handset import config

    if rate is None:
        return line
    given = line and {"at": line.at, "real_at": line.real_at}
    return config.of({"clock": {**(given or {}), "rate": rate}}).clock


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def main() -> None:
    """Run Handset until it is told to stop. Exit status 2: it could not start; the reason is on stderr."""
    asked = parser().parse_args()
    # imported here: `handset --help` needs none of it
    import msgspec

    from handset import config, serving
    from handset.app import Handset
    from handset.state.journal import JournalError

    class Announcing(serving.Server):
        def announce(self, address: str) -> None:
            sys.stdout.write(f"Handset listens on {address}\n")
            sys.stdout.flush()

    try:
        settings = config.read(asked.config) if asked.config else config.Config()
        settings = msgspec.structs.replace(
            settings,
            seed=settings.seed if asked.seed is None else asked.seed,
            clock=_clock(settings.clock, asked.clock_rate),
            strict_callbacks=settings.strict_callbacks or asked.strict_callbacks,
        )
        listening = _listen(asked.host, asked.port)
        handset = Handset(settings, data=asked.data)
    except OSError as error:
        told = (error.strerror or str(error)).partition(" (while")[0]
        sys.stderr.write(f"handset: cannot listen on {asked.host}:{asked.port}: {told}; choose another --port\n")
        sys.exit(2)
    except (config.ConfigError, JournalError) as error:
        sys.stderr.write(f"handset: {error}\n")
        sys.exit(2)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, serving.unused)
    server = Announcing(handset, host=asked.host, port=asked.port)
    server.run(sockets=[listening])
    sys.exit(0 if server.started else 2)
