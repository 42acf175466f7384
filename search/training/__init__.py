"""What a worker does: it trains candidates, one linear function each."""
