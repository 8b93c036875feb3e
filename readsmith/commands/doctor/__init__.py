"""`readsmith doctor`: checks of the installation."""
