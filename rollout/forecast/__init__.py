"""What would happen, and what comes next, told by the decision's own predicates."""
