"""The command `genome`: its verbs, what they print, and the progress of a search on the terminal."""
