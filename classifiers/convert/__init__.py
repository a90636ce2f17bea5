"""Other people's weight files turned into what we run. Used when weights are pulled, never later."""
