"""The picture of a genome: a Figure says what is drawn, a Layout where, and `svg` writes both down."""
