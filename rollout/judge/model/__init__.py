"""The laws that tests are made of: distributions, priors, bucket edges, what can be seen at all."""
