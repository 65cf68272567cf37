"""What a study found, told as text, as tables and as one HTML file."""
