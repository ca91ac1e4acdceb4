"""A small fictional company and its people; imports nothing of dsr."""
