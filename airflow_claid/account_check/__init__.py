"""The account check: whether a Claid account answers as this package assumes, and what to set where it does not."""
