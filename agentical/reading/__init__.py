"""How the text of a playbook becomes the models of `playbook.py`, each mistake with its place."""
