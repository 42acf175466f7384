"""Environment variables that Ray and Tune read when they are imported or started."""

from __future__ import annotations

__all__ = ["EVERYWHERE", "OF_A_CLUSTER", "PRIVATE"]

# Of the workers that a raylet starts ahead, one a core, Tune takes none.
EVERYWHERE = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_prestart_worker_first_driver": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
    "TUNE_MAX_PENDING_TRIALS_PG": "1000000",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_THRESHOLD_S": "60",
}
_WITH_TOKEN = EVERYWHERE | {"RAY_AUTH_MODE": "token"}
# Despite its name read on every platform; 0 keeps all of Ray's servers on 127.0.0.1.
_LISTENS_BEYOND_THIS_MACHINE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
OF_A_CLUSTER = _WITH_TOKEN | {_LISTENS_BEYOND_THIS_MACHINE: "1"}
# A private Ray has no agent to which anything measured could be sent. Its raylet looks for the store that it has just
# started, often before that listens, and again after a second; here after a fiftieth, for ten seconds as before.
PRIVATE = _WITH_TOKEN | {
    _LISTENS_BEYOND_THIS_MACHINE: "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_raylet_client_connect_timeout_milliseconds": "20",
    "RAY_raylet_client_num_connect_attempts": "500",
}
