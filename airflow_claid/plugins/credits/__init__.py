"""The page *Claid credits*: what tasks have spent."""
