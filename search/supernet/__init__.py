"""The shared weights of a space: trained by a rule, asked for networks, and held to a certificate."""
