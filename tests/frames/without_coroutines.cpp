// A program for tests of the command: it has debug information and no coroutine.

#include <cstdio>

int main() { return std::puts("nothing is awaited here") < 0 ? 1 : 0; }
