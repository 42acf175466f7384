"""What Ray's errors say of a lost worker, in one line."""

import pytest
from ray.core.generated.common_pb2 import ActorDiedErrorContext
from ray.exceptions import ActorDiedError, RayError, RayTaskError, RuntimeEnvSetupError

from search.cluster.how_lost import how_lost


def died(message: str) -> ActorDiedError:
    names = {"class_name": "Trainable", "actor_id": bytes(16), "pid": 4321, "node_ip_address": "127.0.0.1"}
    return ActorDiedError(ActorDiedErrorContext(error_message=message, **names))


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ("", ""),
        (
            died(
                "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit "
                "detail: Worker unexpectedly exits with a connection error code 2. End of file. Some common causes"
            ),
            "Worker unexpectedly exits with a connection error code 2 (SYSTEM_ERROR)",
        ),
        (died("The actor died because its node has died."), "The actor died because its node has died"),
        (RuntimeEnvSetupError("[Node 127.0.0.3] no package"), "[Node 127.0.0.3] no package"),
        (RayError("x" * 500), "x" * 200 + "…"),
    ],
)
def test_one_line(error: Exception | str, line: str) -> None:
    assert how_lost(str(error)) == line


def test_an_exception_in_the_worker_is_its_last_line() -> None:
    trace = 'Traceback (most recent call last):\n  File "own.py", line 3, in setup\nImportError: no module\n'
    task = RayTaskError("Trainable.__init__", trace, ImportError("no module"), pid=4321, ip="127.0.0.1")
    assert how_lost(str(ActorDiedError(task))) == how_lost(str(task)) == "ImportError: no module"
