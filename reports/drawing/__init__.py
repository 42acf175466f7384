"""Colours, the style of figures, and the diagram of a network."""
