"""The run directory, and disks that cannot be written."""
