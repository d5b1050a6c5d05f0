"""How arguments become numbers, how threads wait, and other code that all wings use."""
