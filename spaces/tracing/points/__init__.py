"""Where in a graph feature maps meet: which axes they have, what is a point, and of which kind."""
