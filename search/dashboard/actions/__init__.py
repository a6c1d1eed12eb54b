"""What a person can do to a study: stop, resume, enqueue a network, star a trial, write a note."""
