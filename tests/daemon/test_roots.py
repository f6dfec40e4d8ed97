"""What cannot be an inbox or an output is refused before anything is written, with a sentence."""

import json
import os
import shutil
import threading
from contextlib import closing
from pathlib import Path

import pytest

from common.errors import PhototriageError
from daemon import mount_wait
from daemon.adopt import adopt, check_mounts
from daemon.intake.walk import MARKER
from daemon.ledger.recorded_roots import Root
from daemon.ledger.state_folder import LEDGER, state_folder
from daemon.process.clock import Clock
from daemon.process.log_level import Level
from daemon.process.signals import SignalHandler
from daemon.roots import InboxLock, MountMissingError, RootError, check_folders, check_roots
from daemon.status.monitor import Monitor
from daemon.status.report import Report
from daemon.status.snapshot_parts import State
from tests.daemon.conftest import Stranger
from tests.daemon.support import daemon, model_file, opened_ledger, plain, run, tree, write


def refusal(inbox: Path, output: Path) -> str:
    with pytest.raises(RootError) as caught:
        check_roots(inbox, output)
    return str(caught.value)


def test_two_folders_are_taken_by_their_real_paths_and_the_last_of_the_output_is_made(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "link").symlink_to("in")
    assert check_roots(tmp_path / "link", tmp_path / "in" / ".." / "out") == (tmp_path / "in", tmp_path / "out")
    assert (tmp_path / "out").is_dir()
    assert check_roots(tmp_path / "in", tmp_path / "in" / "sorted") == (tmp_path / "in", tmp_path / "in" / "sorted")


def test_each_wrong_pair_is_refused_with_what_to_do(tmp_path: Path, home: Path) -> None:
    inbox, file = tmp_path / "in", tmp_path / "file"
    inbox.mkdir()
    file.touch()
    (tmp_path / "same").symlink_to("in")
    out = tmp_path / "out"
    assert "are the same folder" in refusal(inbox, inbox)
    assert "are the same folder" in refusal(inbox, tmp_path / "same")
    assert "cannot be the inbox: everything in it would be sorted" in refusal(Path("/"), out)
    assert "cannot be the inbox: everything in it would be sorted" in refusal(home, out)
    assert "does not exist. Create it first: mkdir" in refusal(tmp_path / "gone", out)
    assert "is not a folder" in refusal(file, out)
    assert "cannot be created (No such file or directory)" in refusal(inbox, tmp_path / "no" / "such" / "out")
    assert "cannot be created" in refusal(inbox, file)
    assert "cannot be created" in refusal(inbox, file / "out")


def test_names_with_terminal_commands_are_shown_escaped(tmp_path: Path) -> None:
    assert r"\x1b[31mred" in refusal(tmp_path / "\x1b[31mred", tmp_path / "out")


def test_an_inbox_that_is_a_class_folder_is_refused_also_through_a_link(tmp_path: Path) -> None:
    output, inbox = tmp_path / "out", tmp_path / "out" / "red"
    inbox.mkdir(parents=True)
    with pytest.raises(RootError, match="is the folder red of the output"):
        check_folders(inbox, output, ["green", "red"])
    check_folders(inbox, output, ["green"])
    (output / "green").symlink_to("red")
    with pytest.raises(RootError, match="is the folder green of the output"):
        check_folders(inbox, output, ["green"])


@pytest.mark.parametrize(
    ("folder", "mode", "code", "said"),
    [
        ("in", 0o000, 1, "The inbox {} cannot be read (Permission denied)"),
        ("in", 0o300, 1, "The inbox {} cannot be read (Permission denied)"),
        ("in", 0o500, 1, "The inbox {} cannot be written (Permission denied), so nothing can be moved"),
        ("out", 0o500, 1, "The output {} cannot be written (Permission denied), so nothing can be moved"),
    ],
)
def test_a_folder_without_its_permissions_is_said_and_nothing_moves(
    stranger: Stranger, folder: str, mode: int, code: int, said: str
) -> None:
    inbox, output = stranger.folder / "in", stranger.folder / "out"
    for path in (inbox, output):
        path.mkdir()
    write(inbox / "a.jpg", plain("red"))
    (stranger.folder / folder).chmod(mode)
    options = ("--inbox", inbox, "--output", output, "--model", model_file(stranger.folder))
    done = stranger.phototriage("sort", *options)
    (stranger.folder / folder).chmod(0o755)
    assert done.returncode == code
    assert said.format(stranger.folder / folder) in done.stderr
    assert "Traceback" not in done.stderr
    assert tree(inbox) == {"a.jpg": plain("red")}


def test_a_class_folder_that_may_not_be_written_leaves_its_photos_and_files_the_others(stranger: Stranger) -> None:
    inbox, output = stranger.folder / "in", stranger.folder / "out"
    for path in (inbox, output, output / "red"):
        path.mkdir()
    write(inbox / "a.jpg", plain("red"))
    write(inbox / "b.jpg", plain("blue"))
    (output / "red").chmod(0o555)
    done = stranger.phototriage("sort", "--inbox", inbox, "--output", output, "--model", model_file(stranger.folder))
    assert done.returncode == 1
    assert "a.jpg stays in the inbox for now, like others with this problem" in done.stdout
    assert "1 could not be filed yet and stay in the inbox" in done.stderr
    assert (tree(inbox), tree(output)) == ({"a.jpg": plain("red")}, {"blue/b.jpg": plain("blue")})


def test_of_two_daemons_on_one_inbox_the_second_says_so_and_exits(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    options = ("--inbox", tmp_path / "in", "--model", model_file(tmp_path), "--output")
    with daemon(*options, tmp_path / "out") as first:
        first.ready()
        for verb in ("watch", "sort"):
            second = run(verb, *options, tmp_path / "other")
            assert second.returncode == 1
            assert "Another phototriage is already running on" in second.stderr
            assert "Traceback" not in second.stderr
        write(tmp_path / "in" / "a.jpg", plain("red"))
        first.photos({"a.jpg"})
        assert first.stop() == 0


def test_two_inboxes_never_keep_one_ledger_at_the_same_time(tmp_path: Path) -> None:
    env = {"STATE_DIRECTORY": str(tmp_path / "state")}
    options = ("--output", tmp_path / "out", "--model", model_file(tmp_path), "--inbox")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    write(tmp_path / "two" / "a.jpg", plain("red"))
    with daemon(*options, tmp_path / "one", env=env) as first:
        first.ready()
        second = run("sort", *options, tmp_path / "two", env=env)
        assert second.returncode == 1
        assert "its own STATE_DIRECTORY" in second.stderr
        assert first.stop() == 0
    assert run("sort", *options, tmp_path / "two", env=env).returncode == 0
    assert tree(tmp_path / "out") == {"red/a.jpg": plain("red")}


def test_one_pass_that_is_stopped_early_is_not_done(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "half.jpg", plain("red")[:300])
    options = ("--inbox", tmp_path / "in", "--output", tmp_path / "out", "--model", model_file(tmp_path))
    with daemon(*options, verb="sort") as sorting:
        sorting.photos({"half.jpg"})  # it may still be growing, so the pass waits for it
        assert sorting.stop() == 1
        assert sorting.events[-1]["event"] == "summary"
    assert tree(tmp_path / "in") == {"half.jpg": plain("red")[:300]}


def test_a_photo_that_its_owner_takes_away_is_not_said_to_stay(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    half = write(tmp_path / "in" / "half.jpg", plain("red")[:300])
    options = ("--inbox", tmp_path / "in", "--output", tmp_path / "out", "--model", model_file(tmp_path))
    with daemon(*options, verb="sort") as sorting:
        sorting.photos({"half.jpg"})
        half.unlink()
        assert sorting.wait() == 0
        assert sorting.events[-1]["not_yet"] == 0


def test_the_lock_holds_until_it_is_closed(tmp_path: Path) -> None:
    inbox = tmp_path / "in"
    inbox.mkdir()
    with opened_ledger(tmp_path / "l") as ledger:
        lock = InboxLock(inbox, ledger.roots)
        with pytest.raises(RootError, match="Another phototriage is already running"):
            InboxLock(inbox, ledger.roots)
        lock.close()
        again = InboxLock(inbox, ledger.roots)
        assert again.root.marker == lock.root.marker
        again.close()
    assert [path.name for path in inbox.iterdir()] == [MARKER]


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "{}", "\udcff"])
def test_a_file_that_is_no_marker_is_not_taken_for_one(tmp_path: Path, text: str) -> None:
    inbox = tmp_path / "in"
    inbox.mkdir()
    (inbox / MARKER).write_bytes(text.encode(errors="surrogateescape"))
    with (
        opened_ledger(tmp_path / "l") as ledger,
        pytest.raises(RootError, match=r"is not a marker of phototriage\. Move it away and start again"),
    ):
        InboxLock(inbox, ledger.roots)


def test_markers_are_made_once_and_kept(tmp_path: Path) -> None:
    inbox, output = tmp_path / "in", tmp_path / "out"
    with opened_ledger(tmp_path / "l") as ledger:
        for path in (inbox, output):
            path.mkdir()
        for _ in range(2):
            check_mounts(ledger, inbox, output)
            adopt(ledger, "inbox", inbox)
            adopt(ledger, "output", output)
            texts = [json.loads((path / MARKER).read_text())["id"] for path in (inbox, output)]
            assert [ledger.roots.get(role).marker for role in ("inbox", "output")] == texts  # type: ignore[union-attr]
            assert len(set(texts)) == 2


@pytest.mark.parametrize("role", ["in", "out"])
def test_a_folder_that_its_owner_made_anew_is_adopted(tmp_path: Path, role: str) -> None:
    inbox, output = tmp_path / "in", tmp_path / "out"
    with opened_ledger(tmp_path / "l") as ledger:
        for path in (inbox, output):
            path.mkdir()
        adopt(ledger, "inbox", inbox)
        adopt(ledger, "output", output)
        shutil.rmtree(tmp_path / role)
        (tmp_path / role).mkdir()
        check_mounts(ledger, inbox, output)
        said: list[str] = []
        adopt(ledger, "inbox", inbox, said.append)
        adopt(ledger, "output", output, said.append)
        assert (tmp_path / role / MARKER).exists()
        assert [sentence.partition(" has no marker")[0].split()[-1] for sentence in said] == [str(tmp_path / role)]
        adopt(ledger, "output", output, said.append)
        assert len(said) == 1


@pytest.mark.parametrize("role", ["inbox", "output"])
def test_a_mount_that_is_away_is_no_folder_to_use_and_is_not_marked(tmp_path: Path, role: str) -> None:
    """The recorded mount point is here a folder where nothing is mounted now."""
    mount = tmp_path / "mnt"
    inbox, output = tmp_path / "in", tmp_path / "out"
    for path in (mount, inbox, output):
        path.mkdir()
    options = ("--inbox", inbox, "--output", output, "--model", model_file(tmp_path))
    with opened_ledger(state_folder(inbox) / "ledger.sqlite") as ledger:
        ledger.roots.record(role, Root("some id", mount, inbox if role == "inbox" else output))
        with pytest.raises(MountMissingError, match="nothing is mounted at"):
            check_mounts(ledger, inbox, output)
    done = run("sort", *options)
    assert done.returncode == 1
    assert f"The {role} " in done.stderr
    assert "has lost its marker, and nothing is mounted at" in done.stderr
    assert not (inbox / MARKER).exists()
    assert not (output / MARKER).exists()


def test_a_start_with_a_model_that_may_not_serve_leaves_neither_ledger_nor_marker(tmp_path: Path) -> None:
    inbox, output = tmp_path / "in", tmp_path / "out"
    for path in (inbox, output):
        path.mkdir()
    done = run("sort", "--inbox", inbox, "--output", output, "--model", write(tmp_path / "broken.onnx", b"no model"))
    assert done.returncode == 1
    assert "broken.onnx: " in done.stderr
    assert [*inbox.iterdir(), *output.iterdir()] == []
    assert not (state_folder(inbox) / LEDGER).exists()


def test_a_watch_waits_for_the_mount_saying_so_once_and_then_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mount_wait, "MOUNT_LOOK_S", 0.001)
    inbox, output, said = tmp_path / "in", tmp_path / "out", list[str]()

    class Mounting(Report):
        """Mounts the output once it has heard that it is away."""

        def say(self, sentence: str, level: Level = Level.WARNING, /) -> None:
            said.append(sentence)
            marker = write(output / "marker", b'{"id": "some id"}')
            threading.Timer(0.05, marker.rename, [output / MARKER]).start()  # whole at once, as a mount appears

    for path in (tmp_path / "mnt", inbox, output):
        path.mkdir()
    monitor = Monitor(Clock())
    report, stop = Mounting(output, as_json=False, quiet=False), SignalHandler()
    wait = mount_wait.MountWait(monitor, report, stop, once=False)
    with closing(stop), opened_ledger(tmp_path / "l") as ledger:
        ledger.roots.record("output", Root("some id", tmp_path / "mnt", output))

        def look() -> bool:
            check_mounts(ledger, inbox, output)
            return True

        assert wait.until(look)
        assert len(said) == 1
        assert said[0].startswith("paused: The output ")
        assert monitor.state() == (State.STARTING, "")
        (output / MARKER).unlink()
        stop.request_stop()
        assert wait.until(look) is None


def test_state_lies_where_systemd_or_the_user_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    one, two = state_folder(Path("/a/in box")), state_folder(Path("/b/in box"))
    assert one.parent == two.parent == tmp_path / "xdg" / "phototriage"
    assert one.name.startswith("in-box-")
    assert one != two
    assert len(os.fsencode(state_folder(Path("/" + "é" * 120)).name)) <= 255
    monkeypatch.delenv("XDG_STATE_HOME")
    assert state_folder(Path("/a/in")).parent == Path.home() / ".local" / "state" / "phototriage"
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/phototriage/x:/var/lib/other")
    assert state_folder(Path("/a/in")) == Path("/var/lib/phototriage/x")


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.delenv("XDG_STATE_HOME")
    (tmp_path / "in").mkdir()
    check_roots(tmp_path / "in", tmp_path / "out")
    with pytest.raises(PhototriageError, match="Set XDG_STATE_HOME"):
        state_folder(tmp_path / "in")
