"""
A row becomes a connection, or says why not: parse, and never judge a second time.

`connection` is the way; the rest are the rules for its cells and for the rows together.
"""
