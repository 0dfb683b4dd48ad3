"""One triggerer waits for a thousand jobs, with this package and with the HTTP provider."""
