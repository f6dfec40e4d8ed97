"""Flags win over environment, environment over file, file over defaults; what is misspelt is refused."""

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from contract.shipped import SHIPPED_MODEL
from daemon.commands.watch_options import options, refuse_unknown_environment
from daemon.settings import Settings
from phototriage import cli

SEEN: list[Settings] = []


@click.command()
@options
def probe(settings: Settings) -> None:
    """Keep the settings."""
    refuse_unknown_environment()
    SEEN.append(settings)


# option, field, (flag, variable, file, default) and what the field is then
TABLE: list[tuple[str, str, tuple[str, str, str], tuple[Any, ...]]] = [
    ("model", "model", ("f.onnx", "e.onnx", "'c.onnx'"), (*map(Path, ("f.onnx", "e.onnx", "c.onnx")), SHIPPED_MODEL)),
    ("recursive", "recursive", ("", "0", "true"), (True, False, True, False)),
    ("ignore", "ignore", ("a b", "c d:e/*", '["*.x", "y"]'), (("a b",), ("c d", "e/*"), ("*.x", "y"), ())),
    ("mode", "mode", ("copy", "symlink", '"hardlink"'), ("copy", "symlink", "hardlink", "move")),
    (
        "layout", "layout", ("{name}", "{label}/{name}", '"{date}/{name}"'),
        ("{name}", "{label}/{name}", "{date}/{name}", "{label}/{relpath}/{name}"),
    ),
    ("duplicates", "duplicates", ("set-aside", "keep", '"set-aside"'), ("set-aside", "keep", "set-aside", "keep")),
    ("device", "device", ("cuda", "cpu", '"cpu"'), ("cuda", "cpu", "cpu", "auto")),
    ("gpu-memory", "gpu_memory", ("1", "2", "3"), (1, 2, 3, 4096)),
    ("review-below", "review_below", ("0.5", "auto", "0.25"), (0.5, "auto", 0.25, "off")),
    ("unfamiliar", "unfamiliar", ("file", "review", '"file"'), ("file", "review", "file", "review")),
    ("review-notes", "review_notes", ("", "0", "true"), (True, False, True, False)),
    ("embeddings", "embeddings", ("off", "on", '"off"'), ("off", "on", "off", "on")),
    ("give-up-after", "give_up_after", ("1.5", "2", "3"), (1.5, 2.0, 3.0, 60.0)),
    ("workers", "workers", ("1", "2", "3"), (1, 2, 3, 0)),
    (
        "decode-in", "decode_in", ("threads", "processes", '"threads"'),
        ("threads", "processes", "threads", "auto"),
    ),
    ("quiet", "quiet", ("", "0", "true"), (True, False, True, False)),
    ("json", "as_json", ("", "0", "true"), (True, False, True, False)),
    ("log-format", "log_format", ("json", "keyvalue", '"json"'), ("json", "keyvalue", "json", "text")),
    ("metrics-file", "metrics_file", ("f", "e", "'c'"), (Path("f"), Path("e"), Path("c"), None)),
]  # fmt: skip


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    return ["--inbox", str(tmp_path / "in"), "--output", str(tmp_path / "out")]


def settings_of(arguments: list[str], environment: dict[str, str] | None = None) -> Settings:
    SEEN.clear()
    done = CliRunner().invoke(probe, arguments, env=environment, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return SEEN.pop()


def refusal_of(arguments: list[str], environment: dict[str, str] | None = None) -> str:
    SEEN.clear()
    done = CliRunner().invoke(probe, arguments, env=environment, catch_exceptions=False)
    assert (done.exit_code, SEEN) == (2, []), done.output
    return done.output


def written(folder: Path, text: str) -> list[str]:
    (folder / "c.toml").write_text(text)
    return ["--config", str(folder / "c.toml")]


@pytest.mark.parametrize(("option", "field", "given", "wanted"), TABLE, ids=lambda value: str(value)[:12])
def test_each_option_is_taken_from_the_strongest_place_that_gives_it(
    tmp_path: Path, folders: list[str], option: str, field: str, given: tuple[str, str, str], wanted: tuple[Any, ...]
) -> None:
    flag, variable, key = given
    flags = [f"--{option}", flag] if flag else [f"--{option}"]
    environment = {"PHOTOTRIAGE_" + option.replace("-", "_").upper(): variable}
    for name in (option, option.replace("-", "_")):
        config = written(tmp_path, f"{name} = {key}\n")
        assert getattr(settings_of([*folders, *config, *flags], environment), field) == wanted[0]
        assert getattr(settings_of([*folders, *config], environment), field) == wanted[1]
        assert getattr(settings_of([*folders, *config]), field) == wanted[2]
    assert getattr(settings_of(folders), field) == wanted[3]


def test_the_folders_come_from_every_place_too(tmp_path: Path) -> None:
    for name in ("f", "e", "c"):
        (tmp_path / name).mkdir()
    config = written(tmp_path, f'inbox = "{tmp_path}/c"\noutput = "{tmp_path}/c"\n')
    environment = {"PHOTOTRIAGE_INBOX": str(tmp_path / "e"), "PHOTOTRIAGE_OUTPUT": str(tmp_path / "e")}
    flags = ["--inbox", str(tmp_path / "f"), "--output", str(tmp_path / "f")]
    for arguments, variables, name in (
        (flags + config, environment, "f"),
        (config, environment, "e"),
        (config, {}, "c"),
    ):
        settings = settings_of(arguments, variables)
        assert (settings.inbox, settings.output) == (tmp_path / name, tmp_path / name)
    assert settings_of([], {**environment, "PHOTOTRIAGE_CONFIG": str(tmp_path / "c.toml")}).inbox == tmp_path / "e"


def test_every_option_is_in_the_table() -> None:
    names = {str(parameter.opts[0]).strip("-") for parameter in probe.params}
    assert names == {option for option, *_ in TABLE} | {"inbox", "output", "config"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("modle = 'x'", "unknown key 'modle'"),
        ("[model]\npath = 'x'", "'model' must be a text in quotes, not {'path': 'x'}"),
        ("model = ['x']", "'model' must be a text in quotes"),
        ("config = 'x'", "unknown key 'config'"),
        ("help = true", "unknown key 'help'"),
        ("as_json = true", "unknown key 'as_json'"),
        ("layout = '{colour}/{name}'", "{colour} is not a field; the fields are {label}, {relpath}, {name}, {date}"),
        ("layout = '../{name}'", "'..' cannot name a folder of photos"),
        ("workers = 'many'", "'workers' must be a whole number, not 'many'"),
        ("workers = -1", "is not in the range"),
        ("workers = 2.5", "'workers' must be a whole number"),
        ("workers = true", "'workers' must be a whole number, not True"),
        ("device = 'tpu'", "'tpu' is not one of"),
        ("device = 1", "'device' must be a text in quotes"),
        ("review_below = 2", "is not off, auto, or a probability"),
        ("review_below = true", "must be a text in quotes or a whole number or a number, not True"),
        ("review_below = nan", "is not off, auto, or a probability"),
        ("give_up_after = -1", "is not in the range"),
        ("give_up_after = nan", "nan is not a number of seconds"),
        ("give_up_after = true", "'give_up_after' must be a whole number or a number"),
        ("quiet = 'perhaps'", "'quiet' must be true or false"),
        ("quiet = 2", "'quiet' must be true or false"),
        ("model = 5", "'model' must be a text in quotes"),
        ("inbox = false", "'inbox' must be a text in quotes"),
        ("inbox = ''", "The path is empty"),
        ("workers = ", "not valid TOML"),
        ("workers = 1\nworkers = 2", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(tmp_path: Path, folders: list[str], text: str, said: str) -> None:
    given = [] if text.startswith("inbox") else folders[:2]
    assert said in " ".join(refusal_of([*given, *folders[2:], *written(tmp_path, text)]).split())


def test_an_unknown_key_is_answered_with_the_known_ones(tmp_path: Path, folders: list[str]) -> None:
    said = refusal_of([*folders, *written(tmp_path, "colour = 'red'")])
    known = ", ".join(sorted(["inbox", "output", *(option.replace("-", "_") for option, *_ in TABLE)]))
    assert known in " ".join(said.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--config", "/nowhere.toml"], "cannot be read (No such file or directory)"),
        (["--workers", "x"], "'x' is not a valid integer"),
        (["--give-up-after", "nan"], "'nan' is not a number of seconds"),
        (["--review-below", "1.5"], "is not off, auto, or a probability"),
        (["--device", "gpu"], "'gpu' is not one of"),
        (["--inbox", ""], "The path is empty"),
        (["--colour", "red"], "No such option"),
        (["extra"], "unexpected extra argument"),
    ],
)
def test_wrong_flags_are_refused(folders: list[str], arguments: list[str], said: str) -> None:
    assert said in refusal_of([*folders, *arguments])


def test_missing_folders_are_asked_for() -> None:
    assert "Missing option '--inbox'" in refusal_of([])


def test_folders_without_an_option_are_named_with_their_photos_and_the_command_to_use(tmp_path: Path) -> None:
    for name in ("one/a.jpg", "one/b.jpg", "two two/deep/c.jpg", "two two/notes.txt", "empty/x.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    one, two, empty = (tmp_path / name for name in ("one", "two two", "empty"))
    deep = f"phototriage sort --inbox '{two}' --output OUTPUT --recursive"
    for words, said in (
        ((one,), f"{one} (2 photos). Use: phototriage sort --inbox {one} --output OUTPUT"),
        (
            (one, two),
            f"{one} (2 photos), {two} (1 photo). Use: phototriage sort --inbox {one} --output OUTPUT; then: {deep}",
        ),
        ((one, empty), f"{empty} (0 photos). Use: phototriage sort --inbox {one} --output {empty}"),
        ((one, tmp_path / "new"), f"Use: phototriage sort --inbox {one} --output {tmp_path / 'new'}"),
        (
            ("--inbox", one, "--output", empty, two),
            f"{two} (1 photo). Use: phototriage sort --inbox '{two}' --output {empty} --recursive",
        ),
        ((empty,), f"Without an option came: {empty} (0 photos)."),
        (("--inbox", one, "--inbox", two), f"One run has one inbox, and --inbox came with {one}, {two}."),
    ):
        result = CliRunner().invoke(cli, ["sort", *map(str, words)])
        assert result.exit_code == 2
        assert said in result.stderr.strip(), words
        if words == (one,):
            assert result.stderr.strip().endswith(said)


def test_a_variable_that_is_no_setting_is_refused_with_the_nearest_or_the_known_ones(folders: list[str]) -> None:
    said = refusal_of(folders, {"PHOTOTRIAGE_MODLE": "x"})
    assert "PHOTOTRIAGE_MODLE is not a setting. Did you mean PHOTOTRIAGE_MODE or PHOTOTRIAGE_MODEL?" in said
    said = refusal_of(folders, {"PHOTOTRIAGE_COLOUR": "x"})
    assert "PHOTOTRIAGE_GIVE_UP_AFTER" in said
    assert "None" not in said
    assert "SYSTEM_TESTS" not in said
    assert "'x' is not a valid integer" in refusal_of(folders, {"PHOTOTRIAGE_WORKERS": "x"})


@pytest.mark.parametrize("verb", ["watch", "sort"])
def test_both_verbs_refuse_a_misspelt_variable_and_key(verb: str, tmp_path: Path, folders: list[str]) -> None:
    done = CliRunner().invoke(cli, [verb, *folders], env={"PHOTOTRIAGE_INBOXX": "x"})
    assert (done.exit_code, "PHOTOTRIAGE_INBOXX is not a setting" in done.output) == (2, True)
    done = CliRunner().invoke(cli, [verb, *folders, *written(tmp_path, "x = 1")])
    assert (done.exit_code, "unknown key 'x'" in done.output) == (2, True)
    assert list((tmp_path / "out").iterdir()) == []
