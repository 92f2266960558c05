// Asks for the name of one of its own coroutines. The build strips it, so no name is found.

#include <tare/symbols.hpp>
#include <tare/tare.hpp>

#include <array>
#include <cstdio>
#include <exception>

namespace {

tare::task<> waits() { co_await tare::sleep_for(std::chrono::hours(1)); }

tare::task<const void*> find() {
  const void* found = nullptr;
  auto observe = [&](tare::scope& s) -> tare::task<> {
    s.spawn(waits());
    co_await tare::yield();
    const tare::task_snapshot seen = co_await tare::snapshot();
    for (const tare::frame_group& each : seen.groups) {
      if (each.waiting_for == tare::awaited::timer) found = each.resume;
    }
    s.cancel();
  };
  co_await tare::with_scope(observe);
  co_return found;
}

}  // namespace

int main() {
  try {
    const std::array<const void*, 1> addresses{tare::run(find())};
    const tare::code_names named = tare::name_code(addresses);
    std::printf("'%s' '%s' %u\n", named.names[0].function.c_str(), named.names[0].file.c_str(), named.names[0].line);
    for (const auto& note : named.notes) std::puts(note.c_str());
  } catch (const std::exception& error) {
    std::puts(error.what());
    return 1;
  }
  return 0;
}
