"""What a report can say of any table of candidates, without knowing their networks."""
