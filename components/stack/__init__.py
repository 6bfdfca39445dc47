"""Stack files: read strictly, understood once, edited without losing a byte."""
