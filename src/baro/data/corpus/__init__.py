"""Text for pre-training: from files of any kind to clean, different, harmless documents; an account of the rest."""
