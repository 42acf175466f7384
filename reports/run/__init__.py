"""One run as it was left behind: its files, and what they say of the search itself."""
