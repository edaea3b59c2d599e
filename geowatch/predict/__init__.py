"""From frames to the scores of windows: strips of prepared input, batches, the network."""
