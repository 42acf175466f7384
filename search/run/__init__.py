"""A run from its launch to its end: checked, driven, ended by a signal or a limit, resumed, looked at."""
