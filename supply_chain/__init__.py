"""What the images take from others.

Lists of components, their licences, and what is known to be wrong with them.
"""
