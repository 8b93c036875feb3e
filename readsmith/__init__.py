"""The command line of Readsmith."""
