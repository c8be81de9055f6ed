"""Layer in front of Connexion that forwards runs to the tracking process."""
