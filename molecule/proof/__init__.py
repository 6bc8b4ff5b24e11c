"""What the lab proves with packets, each proof a sentence that a person can check."""
