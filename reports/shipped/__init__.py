"""Files that go into an export as they are.

Each runs by itself, where fusion-nas is not installed: it imports nothing of ours.
"""
