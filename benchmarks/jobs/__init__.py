"""A thousand jobs waited for by one triggerer, by this package and by the HTTP provider."""
