"""What keeps a person from being recognised; in the first form, the pseudonymisation key."""
