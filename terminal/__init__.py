"""What every command line of Grayling shares: how a run ends, commands imported when they run, forms of output."""
