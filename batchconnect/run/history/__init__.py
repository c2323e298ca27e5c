"""What earlier runs left: which there are, what they made, a part of one, and what of them goes."""
