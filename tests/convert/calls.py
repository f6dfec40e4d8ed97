"""Calling `phototriage convert` in tests, and holding it to a refusal that leaves no trace."""

from pathlib import Path

from click.testing import CliRunner, Result

from phototriage import cli


def convert(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["convert", *map(str, arguments)])


def refused(output: Path, *arguments: str | Path, because: str) -> None:
    """Convert onto an older file, and see one sentence, exit 1, and that file alone as it was."""
    before = {path: path.read_bytes() for path in output.parent.iterdir()} if output.parent.is_dir() else {}
    result = convert(*arguments, "--output", output)
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stderr.startswith("phototriage: ")
    assert because in result.stderr
    assert result.stderr.count("\n") == 1
    after = {path: path.read_bytes() for path in output.parent.iterdir()} if output.parent.is_dir() else {}
    assert after == before
