"""The picture of a genome: a Figure holds what is drawn, a Layout holds where, and `svg` writes both."""
