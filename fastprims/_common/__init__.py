"""How arguments become numbers, how threads wait, and what all the other wings need besides."""
