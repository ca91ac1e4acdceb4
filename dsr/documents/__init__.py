"""What the engine issues: letters and the book, as PDF."""
