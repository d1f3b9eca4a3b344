"""Makes .venv from a lock file: `python3 requirements/install.py run|dev`.

It uses the standard library alone and shows what it is at: the packages take half a minute or more to arrive. All of
them are named with their hashes in the lock, so nothing is resolved (`--no-deps`), and the project itself is built
from what is then there. Nothing is compiled ahead (`--no-compile`): it doubles the time, for modules that are mostly
never imported.
"""

import re
import subprocess
import sys
from pathlib import Path

if sys.version_info < (3, 11):
    this = f"{sys.version.split()[0]} ({sys.executable})"
    sys.exit(f"Overture needs Python 3.11 or newer, and this is {this}. Name another one: make demo PYTHON=python3.12")

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"


def main() -> None:
    """Create, fill and stamp the environment; a step that was done before is quick."""
    kind = sys.argv[1]
    if PYTHON.exists() and (VENV / "bin" / "pip").exists():  # pip is the last thing that venv makes
        say("1/3 .venv is there")
    else:
        say(f"1/3 creating .venv with Python {sys.version.split()[0]}")
        run([sys.executable, "-m", "venv", str(VENV)])
    lock = ROOT / "requirements" / f"{kind}.lock"
    install_packages(lock)
    say("3/3 installing Overture itself")
    run(pip("--no-index", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)))
    # The development lock holds everything of the other one.
    for stamp in ("run", "dev") if kind == "dev" else ("run",):
        (VENV / f"{stamp}.stamp").touch()


def install_packages(lock: Path) -> None:
    """Install what a lock file names, and say which package is being fetched."""
    total = len(re.findall(r"^[\w.-]+(?:\[[\w,-]+\])?==", lock.read_text(), re.MULTILINE))
    say(f"2/3 installing up to {total} packages of {lock.relative_to(ROOT)}")
    command = pip("--require-hashes", "--no-deps", "--no-compile", "--requirement", str(lock))
    said: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT) as process:
        fetched = 0
        for line in process.stdout or ():
            said.append(line)
            words = line.split()
            if words[:1] in (["Collecting"], ["Processing"], ["Requirement"]):
                fetched += 1
                what = words[3] if words[0] == "Requirement" else Path(words[1]).name  # pip names a package or a file
                progress(f"    {fetched} {what:.60}", once_in=20, count=fetched)
            elif words[:1] == ["Installing"]:
                progress(f"    {fetched} are here; unpacking them")
    progress("")
    if process.returncode:
        sys.exit("".join(said[-30:]) + f"\npip could not install {lock.relative_to(ROOT)}; see above.")


def progress(text: str, *, once_in: int = 1, count: int = 0) -> None:
    """Show where we are: one line that changes on a terminal, elsewhere a line once in a while."""
    if sys.stdout.isatty():
        print("\r\033[K" + text, end="", flush=True)
    elif text and count % once_in == 0:
        say(text)


def say(text: str) -> None:
    """Print at once, also into a pipe."""
    print(text, flush=True)


def pip(*arguments: str) -> list[str]:
    """The command line of one quiet installation."""
    return [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", *arguments]


def run(command: list[str]) -> None:
    """Run to the end in silence; show what was said only if it failed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout}\n{' '.join(command)} failed; see above.")


if __name__ == "__main__":
    main()
