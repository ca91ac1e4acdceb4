"""What the engine issues on paper: letters, the acknowledgement and the disclosure book, as PDF."""
