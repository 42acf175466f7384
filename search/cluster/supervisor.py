"""Carries on when Ray Tune itself ends with an error, and finds out which candidate is at fault."""

from __future__ import annotations

from collections.abc import Callable

from fusion_ops.errors import RunError
from search.study.ledger import Ledger
from search.study.storage import storage_error
from search.training.disk import disk_error

__all__ = ["supervised"]

LOW_MEMORY = "low on memory"
OUT_OF_MEMORY = "out of memory: Ray's memory monitor ended its worker"


def supervised(ledger: Ledger, train: Callable[[Callable[[], int | None]], None], say: Callable[[str], None]) -> None:
    """Train until the training ends by itself; where it ends with an exception, start it again for what is left.

    Some faults of one candidate end the whole of Ray Tune, such as Ray's memory monitor when it kills a worker.
    What was in training then is suspect. Suspects are trained one at a time: the one that is alone when it
    happens again ends as `infeasible` (memory) or `failed`, and the others go on from their last rung.

    Args:
        ledger: The candidates.
        train: Starts Ray and trains what the ledger hands out, at most so many at once (`None`: as many as fit).
        say: Shows the user a line.

    Raises:
        RunError: It ended with an error while no candidate was in training, so that none can be at fault.
        sqlalchemy.exc.SQLAlchemyError: Or what it was wrapped in: the database that keeps the study was lost.
        OSError: A disk cannot be written.
    """
    suspects: set[int] = set()

    def most() -> int | None:
        suspects.difference_update(one.number for one in ledger.all() if one.state != "running")
        return 1 if suspects else None

    while True:
        try:
            train(most)
        except RunError:
            raise
        except Exception as error:
            if storage_error(error) is not None:
                raise
            if (cause := disk_error(error)) is not None:
                raise cause from error
            suspects.update(_blame(ledger, error, say))
        else:
            return


def _blame(ledger: Ledger, error: Exception, say: Callable[[str], None]) -> list[int]:
    """Return who was in training when it ended; one that was alone is at fault, and ends."""
    last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
    inside = [one.number for one in ledger.running()]
    if not inside:
        raise RunError(f"Ray Tune ended with an error: {last}. Resume when its cause is removed.") from error
    memory = LOW_MEMORY in str(error)
    if len(inside) == 1:
        state, reason = ("infeasible", OUT_OF_MEMORY) if memory else ("failed", f"Ray Tune ended: {last}")
        ledger.finish(inside[0], state, reason)
    cause = "a worker ran out of memory" if memory else f"Ray Tune ended with an error ({last})"
    say(f"{cause}; starting again")
    ledger.release()
    return inside
