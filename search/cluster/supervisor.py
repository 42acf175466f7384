"""Carries on when Ray Tune itself ends with an error, and finds out whose fault it was."""

from __future__ import annotations

from collections.abc import Callable

from fusion_ops.errors import RunError
from search.study.ledger import Ledger
from search.study.storage import storage_error
from search.training.disk import disk_error

__all__ = ["Supervisor"]

LOW_MEMORY = "low on memory"
OUT_OF_MEMORY = "out of memory: Ray's memory monitor ended its worker"


class Supervisor:
    """Starts the training again for what is left whenever it ends with an exception.

    Some faults of one candidate end the whole of Ray Tune, such as Ray's memory monitor when it kills a worker.
    What was in training then is suspect. Suspects are trained one at a time: the one that is alone when it
    happens again ends as `infeasible` (memory) or `failed`, and the others go on from their last rung.

    Args:
        ledger: The candidates.
        train: Starts Ray and trains what the ledger hands out, at most so many at once (`None`: as many as fit).
        say: Tells the user.
    """

    def __init__(
        self, ledger: Ledger, train: Callable[[Callable[[], int | None]], None], say: Callable[[str], None]
    ) -> None:
        self._ledger = ledger
        self._train = train
        self._say = say
        self._suspects: set[int] = set()

    def run(self) -> None:
        """Train until it ends by itself.

        Raises:
            RunError: It ended with an error while no candidate was in training, so that none can be at fault.
            sqlalchemy.exc.SQLAlchemyError: Or what it was wrapped in: the database that keeps the study was lost.
            OSError: A disk cannot be written.
        """
        while True:
            try:
                self._train(self._most)
            except RunError:
                raise
            except Exception as error:
                if storage_error(error) is not None:
                    raise
                if (cause := disk_error(error)) is not None:
                    raise cause from error
                self._blame(error)
            else:
                return

    def _most(self) -> int | None:
        """Return how many candidates may be in training: one as long as there are suspects."""
        self._suspects -= {one.number for one in self._ledger.all() if one.state != "running"}
        return 1 if self._suspects else None

    def _blame(self, error: Exception) -> None:
        last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        inside = [c.number for c in self._ledger.candidates.values() if c.state == "running"]
        if not inside:
            raise RunError(f"Ray Tune ended with an error: {last}. Resume when its cause is removed.") from error
        memory = LOW_MEMORY in str(error)
        if len(inside) == 1:
            state, reason = ("infeasible", OUT_OF_MEMORY) if memory else ("failed", f"Ray Tune ended: {last}")
            self._ledger.finish(inside[0], state, reason)
        self._suspects.update(inside)
        cause = "a worker ran out of memory" if memory else f"Ray Tune ended with an error ({last})"
        self._say(f"{cause}; starting again")
        self._ledger.release()
