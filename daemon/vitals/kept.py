"""Everything that looks after the vitals, put together for one run of the daemon."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from daemon.process.clock import Clock
from daemon.process.sd_notify import notify
from daemon.status.loop import Duty, Keeper
from daemon.status.monitor import Board
from daemon.status.supervisor import from_environment
from daemon.status.textfile import TextFile


@contextmanager
def kept(board: Board, clock: Clock, say: Callable[[str], None], metrics_file: Path | None) -> Iterator[Keeper]:
    """Tell the supervisor and write the metrics file until the end of the block; yields who is asked to listen.

    Args:
        board: what there is to tell.
        clock: time.
        say: takes a sentence for the user.
        metrics_file: where metrics are written, if they are.

    Raises:
        MetricsError: they cannot be.
    """
    duties: list[Duty] = [from_environment(board, notify, say)]
    with ExitStack() as stack:
        if metrics_file is not None:
            text_file = stack.enter_context(closing(TextFile(metrics_file, board, say, clock.monotonic_s())))
            duties.append(text_file)
        yield stack.enter_context(Keeper(board, duties, clock, say))
