"""
One run over one sheet: every row accounted for, each lane given its rows, the end said in one exit code.

`engine` puts the rooms together, `batch` carries the run out.
"""
