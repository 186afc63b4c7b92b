"""A backtest: recorded hours run once more in a folder of their own, and what people would have been told."""
