"""The node types, one file each; the name of the file is the word in the YAML."""
