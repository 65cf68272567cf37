"""`search tune`: the compression recipe itself is searched, over a tree of recorded variants."""
