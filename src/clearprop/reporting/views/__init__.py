"""What a reader sees of each part of the tree: cards of the page."""
