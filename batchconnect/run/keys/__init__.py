"""Keys of rows, beyond the sending: where they are, where they are not, when they end, what became of them."""
