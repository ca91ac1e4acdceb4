"""Ways to reach a store; what is peculiar to one named system lives beside this folder."""
