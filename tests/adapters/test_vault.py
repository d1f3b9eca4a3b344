"""Secrets at rest: sealed to their place, opened by any key that is given, and never told when something is wrong."""

import base64
from pathlib import Path

import pytest

from overture.adapters import vault
from overture.adapters.vault import KeyedVault, read_keys
from overture.domain.errors import Misconfigured

NEW, OLD = bytes(range(32)), b"o" * 32
SECRET = "a token nobody may see"
PLACE = ("provider_account", "default", "AC1", "auth_token")


def refused(keyed: KeyedVault, sealed: str, place: tuple[str, ...] = PLACE) -> str:
    """The code with which opening a text is refused; no word of it tells a secret."""
    with pytest.raises(Misconfigured) as told:
        keyed.unseal(sealed, place)
    for said in (repr(told.value), str(told.value), str(told.value.hint)):
        assert SECRET not in said
        assert NEW.hex() not in said
        assert base64.b64encode(NEW).decode() not in said
    assert told.value.hint
    return told.value.code


@pytest.mark.parametrize("secret", ["x", SECRET, "ключ 🔑", "x" * 10_000, ""])
def test_what_was_sealed_is_opened(secret: str) -> None:
    keyed = KeyedVault(keys=[NEW])
    sealed = keyed.seal(secret, PLACE)
    assert keyed.unseal(sealed, PLACE) == secret
    assert len(secret) < 8 or secret not in sealed
    assert sealed != keyed.seal(secret, PLACE)  # the same secret twice does not show


@pytest.mark.parametrize(
    "place",
    [
        ("other_table", "default", "AC1", "auth_token"),
        ("provider_account", "another", "AC1", "auth_token"),
        ("provider_account", "default", "AC2", "auth_token"),
        ("provider_account", "default", "AC1", "second_auth_token"),
        ("provider_account", "default", "AC1"),
        ("provider_account", 'default", "AC1', "auth_token"),
        ("provider_account", "default", "AC1", "auth_token", ""),
        (),
    ],
)
def test_a_sealed_text_opens_in_its_own_place_alone(place: tuple[str, ...]) -> None:
    keyed = KeyedVault(keys=[NEW])
    assert refused(keyed, keyed.seal(SECRET, PLACE), place) == "secret_unreadable"


def test_the_first_key_seals_and_all_of_them_open() -> None:
    before, both, after = KeyedVault(keys=[OLD]), KeyedVault(keys=[NEW, OLD]), KeyedVault(keys=[NEW])
    sealed = before.seal(SECRET, PLACE)
    assert both.unseal(sealed, PLACE) == SECRET
    assert (before.is_current(sealed), both.is_current(sealed)) == (True, False)
    again = both.seal(SECRET, PLACE)
    assert (both.is_current(again), after.unseal(again, PLACE)) == (True, SECRET)
    assert refused(after, sealed) == "secrets_key_unknown"


def test_no_bit_of_a_sealed_text_can_be_changed() -> None:
    keyed = KeyedVault(keys=[NEW, OLD])
    sealed = keyed.seal(SECRET, PLACE)
    for at in range(len(sealed)):
        changed = sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :]
        if base64.urlsafe_b64decode(changed.rpartition(".")[2]) == base64.urlsafe_b64decode(sealed.rpartition(".")[2]):
            continue  # the bits that base64 leaves unused
        assert refused(keyed, changed) in ("secret_unreadable", "secrets_key_unknown")


def test_a_sealed_text_cannot_be_said_to_be_of_another_key() -> None:
    keyed = KeyedVault(keys=[NEW, OLD])
    version, _, text = keyed.seal(SECRET, PLACE).split(".")
    assert refused(keyed, f"{version}.{vault.key_id_of(OLD)}.{text}") == "secret_unreadable"


@pytest.mark.parametrize(
    "sealed",
    [
        "",
        ".",
        "v1",
        "v1.",
        "v1..",
        "v2.00000000.AAAA",
        "v1.00000000.",
        "v1.00000000.é",
        "\x00",
        "plain token",
        "v1." * 9,
    ],
)
def test_what_was_never_sealed_is_refused(sealed: str) -> None:
    assert refused(KeyedVault(keys=[NEW]), sealed) in ("secret_unreadable", "secrets_key_unknown")


@pytest.mark.parametrize("length", [0, 1, 12, 27, 28, 40])
def test_a_cut_text_is_refused(length: int) -> None:
    keyed = KeyedVault(keys=[NEW])
    head, _, text = keyed.seal(SECRET, PLACE).rpartition(".")
    cut = base64.urlsafe_b64encode(base64.urlsafe_b64decode(text)[:length]).decode()
    assert refused(keyed, f"{head}.{cut}") == "secret_unreadable"


def test_without_a_key_nothing_is_sealed_and_no_file_is_made_unless_it_may_be(tmp_path: Path) -> None:
    keyed = KeyedVault(file=tmp_path / "secrets.key")
    with pytest.raises(Misconfigured, match="no key to seal secrets with"):
        keyed.seal(SECRET, PLACE)
    with pytest.raises(Misconfigured, match="no key"):
        keyed.is_current("v1.00000000.AAAA")
    assert refused(keyed, KeyedVault(keys=[NEW]).seal(SECRET, PLACE)) == "secrets_key_unknown"
    assert list(tmp_path.iterdir()) == []


def test_a_key_file_is_made_when_it_is_first_needed_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "secrets.key"
    one, other = (KeyedVault(file=file, may_make=True) for _ in range(2))
    with pytest.raises(Misconfigured):
        one.unseal(KeyedVault(keys=[NEW]).seal(SECRET, PLACE), PLACE)
    assert not file.exists()  # to look makes nothing
    sealed = one.seal(SECRET, PLACE)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.key"]
    assert other.unseal(other.seal(SECRET, PLACE), PLACE) == SECRET
    assert other.unseal(sealed, PLACE) == SECRET  # it uses the file that is there
    assert KeyedVault(file=file).unseal(sealed, PLACE) == SECRET


def test_a_key_file_is_read_anew_when_it_changed(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"# the key of this year\n{OLD.hex()}\n")
    keyed = KeyedVault(file=file)
    sealed = keyed.seal(SECRET, PLACE)
    file.write_text(f"{base64.b64encode(NEW).decode()}\n{OLD.hex()}\n")
    assert not keyed.is_current(sealed)
    assert keyed.unseal(sealed, PLACE) == SECRET


def test_keys_that_are_given_go_before_those_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "secrets.key"
    sealed = KeyedVault(file=file, may_make=True).seal(SECRET, PLACE)
    moved = KeyedVault(keys=[NEW], file=file, may_make=True)
    assert moved.unseal(sealed, PLACE) == SECRET
    assert KeyedVault(keys=[NEW]).is_current(moved.seal(SECRET, PLACE))


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "hunter2", "ab" * 31, "z" * 64, "A" * 42, "\ufffd" * 43])
def test_a_key_file_that_holds_no_key_is_refused_without_a_word_of_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    with pytest.raises(Misconfigured) as told:
        KeyedVault(file=file).seal(SECRET, PLACE)
    assert told.value.code == "secrets_key_file"
    assert not text.strip() or text.strip() not in str(told.value)


def test_a_key_file_that_is_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read"):
        KeyedVault(file=tmp_path).seal(SECRET, PLACE)


@pytest.mark.parametrize(
    "text", [NEW.hex(), NEW.hex().upper(), base64.b64encode(NEW).decode(), base64.urlsafe_b64encode(NEW).decode()[:43]]
)
def test_a_key_is_read_as_base64_or_hexadecimal_digits(text: str) -> None:
    assert read_keys(f" {text} , {OLD.hex()}\n") == (NEW, OLD)


def test_a_representation_shows_no_key() -> None:
    assert NEW.hex() not in repr(KeyedVault(keys=[NEW]))


def test_a_derived_secret_is_of_its_key_and_its_purpose(tmp_path: Path) -> None:
    one, other = bytes(32), b"\1" * 32
    assert KeyedVault(keys=[one]).derive("sessions") == KeyedVault(keys=[one, other]).derive("sessions")
    told = {KeyedVault(keys=[key]).derive(purpose) for key in (one, other) for purpose in ("sessions", "forms")}
    assert len(told) == 4
    made = KeyedVault(file=tmp_path / "secrets.key", may_make=True)
    assert made.derive("sessions") == KeyedVault(file=tmp_path / "secrets.key").derive("sessions")


def test_without_a_key_a_derived_secret_is_this_vaults_own(tmp_path: Path) -> None:
    vault = KeyedVault(file=tmp_path / "secrets.key")
    assert vault.derive("sessions") == vault.derive("sessions")
    assert vault.derive("sessions") != KeyedVault(file=tmp_path / "secrets.key").derive("sessions")
    assert not (tmp_path / "secrets.key").exists()
