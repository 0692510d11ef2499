"""Running statistics: a tick costs O(metrics), however long the window.

For each metric the sums of width, width x (price - anchor) and width x (price - anchor)^2 over the window are carried
from tick to tick: arriving prices are added, leaving ones subtracted. The anchor lies near the prices, so that the sums
lose no digits to cancellation. Averages of prices need no anchor, because all terms of their sums are positive.

Subtraction can leave rounding errors behind after a price spike has passed through a window. The largest magnitude of
each sum is therefore stored with it: `sums.drifted` finds the metrics that have lost digits, and `recompute` computes
them from their samples.

The width of a sample is the number of seconds it stands for: the period for a live one, the candle's width for a filled
one. Windows are (end - length, end].
"""
