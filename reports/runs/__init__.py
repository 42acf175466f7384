"""Two to five runs beside each other: what is comparable, whose front is where, what their configs differ in."""
