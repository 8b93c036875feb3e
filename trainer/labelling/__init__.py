"""What the machine does for whoever labels: proposes texts, orders the images, says how far it is.

Nothing here is published or served.
"""
