"""`phototriage bulk plan`: list the photos."""

from pathlib import Path

import click

from common.options import json_option
from common.packages import require_bulk

ROWS_PER_PART = 2_000


@click.command()
@click.argument("roots", nargs=-1, required=True, metavar="ROOT...")
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="The folder of the plan; it is made if missing."
)
@click.option(
    "--rows-per-part",
    type=click.IntRange(1, 100_000),
    default=ROWS_PER_PART,
    show_default=True,
    help="Photos in a part, which one process judges at a time.",
)
@json_option("the outcome as one JSON object")
def plan(roots: tuple[str, ...], output: Path, rows_per_part: int, as_json: bool) -> None:
    """List photos into a plan, which is a folder of Parquet parts.

    A ROOT is a folder. The parts are published one after the other.

    \b
    Examples:
      phototriage bulk plan /photos --output plan
    """
    require_bulk("`bulk plan`", "pyarrow")
    import json

    from bulk.manifest.make import make_plan

    made = make_plan(roots, output, rows_per_part)
    if as_json:
        click.echo(json.dumps({"plan": str(output), "rows": made.count(), "parts": len(made.parts())}))
    else:
        click.echo(f"{made.count():,} photos in {len(made.parts()):,} parts of {output}")
