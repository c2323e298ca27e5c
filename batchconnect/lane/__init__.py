"""
One lane, and one row: what shares one limit and one token, and the story of each of its rows.

`lane` is the stack, `work` carries out what `planner` decides, `onboarding` is the life of a row, and
`reconciler` says what becomes of a row whose answer was lost.
"""
