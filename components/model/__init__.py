"""What a component is: its settings, environment, tiers, layers, images, amounts and signals."""
