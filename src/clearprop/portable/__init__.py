"""Models for other programs: one description, `program.Program`, and what is written from it."""
