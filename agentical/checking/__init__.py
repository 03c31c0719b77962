"""What is checked across a whole playbook before it is compiled."""
