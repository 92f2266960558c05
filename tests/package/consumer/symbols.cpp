// The same for names of code addresses: the libraries that tare::symbols needs come from the package too.

#include <tare/symbols.hpp>

#include <array>
#include <cstdio>
#include <exception>

int main() {
  try {
    int local = 0;
    const std::array<const void*, 1> addresses{&local};
    // This program has no coroutines, so the only possible note is that it has no await table.
    const tare::program_awaits awaits = tare::read_awaits();
    if (awaits.table.empty() && awaits.notes.size() <= 1 && tare::name_code(addresses).names.at(0).function.empty()) {
      std::puts("tare::symbols works from outside");
      return 0;
    }
    std::puts("wrong result");
  } catch (const std::exception& error) {
    std::puts(error.what());
  }
  return 1;
}
