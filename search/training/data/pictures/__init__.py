"""Image files as arrays: how they are decoded, brought to eight bits and to one size; masks."""
