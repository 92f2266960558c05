int part_in_c(void) { return 0; }
