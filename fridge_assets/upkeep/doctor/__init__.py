"""What is wrong with a data folder and how to mend it: what `doctor` prints (SPEC 9)."""
