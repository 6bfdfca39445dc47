"""Configuration files of the middleware as templates, and the definitions of Grayling's own objects."""
