"""Ray: private or a cluster; Tune's bridge to the ledger; code, data and checkpoints on their way."""
