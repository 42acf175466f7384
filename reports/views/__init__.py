"""What a panel shows, as numbers and sentences, where that takes more than the panel itself."""
