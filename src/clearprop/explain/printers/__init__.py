"""Printers of documents: text, LaTeX, MathML, JSON. Each knows every kind of node of the tree."""
