"""What every component is built from: pods, the production baseline, networks, credentials."""
