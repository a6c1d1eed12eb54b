"""What may be searched: a genome with holes, its text, its walk and its mutations."""
