"""`search stitch`: the networks between two trained ones of a study."""
