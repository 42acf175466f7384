"""Reports of more than one run, and of tables that no run directory stands behind."""
