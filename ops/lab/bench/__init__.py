"""`make bench`: how fast Patchcord is, beside the best peer, under the same caller and the same vendors in one run."""
