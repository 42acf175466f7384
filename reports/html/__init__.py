"""The page: its document, its panels, what it hands to the browser."""
