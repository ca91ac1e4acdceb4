"""The process, one short function per step."""
