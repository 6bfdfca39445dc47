"""Several clusters, one wave after another: what is declared, where it stands, what comes next."""
