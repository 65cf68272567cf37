"""What leaves the house: files in several formats, a bundle that needs no Lathe, a model card."""
