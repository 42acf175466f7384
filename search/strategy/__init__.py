"""Who is tried, and who is stopped: Optuna's interfaces, usable without the rest."""
