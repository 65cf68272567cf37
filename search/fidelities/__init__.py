"""More than shared weights say, less than a whole training: which networks of the front are trained to the end."""
