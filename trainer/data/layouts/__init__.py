"""The layouts in which images lie: one file each, which registers its reader."""
