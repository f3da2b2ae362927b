"""Work after the calls: what the carrier took, who must be told, what must be forgotten."""
