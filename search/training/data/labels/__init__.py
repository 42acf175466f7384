"""What labels show, and which class each of them is."""
