"""Tables of candidates from anywhere: what their columns mean, what they lack, and how they are written."""
