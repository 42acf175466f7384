"""The one truth about candidates: the Optuna study, its storage, and the ledger that alone writes it."""
