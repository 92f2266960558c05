// Tasks that wait for the same thing at several awaits of one coroutine. The program tells how many there are at each,
// and how many it finds there by itself: "COUNT true/function:line" and "COUNT seen/function:line". What it has to say
// besides is "1 note/..." with underscores for blanks.

#include <tare/symbols.hpp>
#include <tare/tare.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace awaiting {

using namespace std::chrono_literals;
using counts = std::map<std::string, std::size_t>;

constexpr unsigned line_of_first = __LINE__ + 4;
constexpr unsigned line_of_second = __LINE__ + 4;
constexpr unsigned line_of_third = __LINE__ + 6;
tare::task<int> visitor(int rooms) {
  if (rooms == 1) co_await tare::sleep_for(24h);
  if (rooms == 2) co_await tare::sleep_for(48h);
  int seen = 0;
  for (int room = 0; room < rooms; ++room) {
    co_await tare::sleep_for(72h);
    ++seen;
  }
  co_return seen;
}

// One place to be suspended at but the start, with much in the frame.
constexpr unsigned line_of_wide = __LINE__ + 3;
tare::task<int> wide(tare::event& never) {
  std::array<char, 3000> kept{};
  co_await never.wait();
  co_return kept[5];
}

constexpr unsigned line_of_guide = __LINE__ + 2;
tare::task<> guide(int rooms) {
  const int seen = co_await visitor(rooms);
  if (seen < 0) co_await tare::yield();
}

constexpr unsigned line_of_unstarted = __LINE__ + 1;
tare::task<> unstarted() { co_return; }

std::string bare(std::string_view function) {
  const std::string_view name = function.substr(0, function.find('('));
  const auto at = name.rfind(':');
  return std::string(at == std::string_view::npos ? name : name.substr(at + 1));
}

std::string key(const char* kind, std::string_view function, unsigned line) {
  return std::string(kind) + "/" + bare(function) + ":" + std::to_string(line);
}

counts truth(std::size_t each) {
  return {{key("true", "visitor", line_of_first), 1 * each}, {key("true", "visitor", line_of_second), 2 * each},
          {key("true", "visitor", line_of_third), 3 * each}, {key("true", "guide", line_of_guide), 6 * each},
          {key("true", "wide", line_of_wide), each},         {key("true", "unstarted", line_of_unstarted), each}};
}

void add_seen(const tare::task_snapshot& seen, const tare::program_awaits& known, counts& to) {
  for (const tare::frame_group& group : seen.groups) {
    const auto at = known.table.place(group.resume, group.suspend_index);
    if (!at || !at->file.ends_with("awaiting.cpp")) continue;
    const std::string name = bare(at->function);
    if (name == "everything" || name == "operator()") continue;
    to[key("seen", at->function, at->line)] += group.count;
  }
  for (std::string note : known.notes) {
    std::ranges::replace(note, ' ', '_');
    ++to["note/" + note];
  }
}

[[noreturn]] void announce_and_wait(const counts& all) {
  for (const auto& [name, count] : all) std::printf("%zu %s\n", count, name.c_str());
  std::puts("READY");
  std::fflush(stdout);
  for (;;) ::pause();
}

tare::task<> everything(std::size_t each) {
  tare::event never;
  std::vector<tare::task<>> kept;
  auto all = [&](tare::scope& s) -> tare::task<> {
    for (std::size_t i = 0; i < each; ++i) {
      s.spawn(wide(never));
      for (int k = 0; k < 6; ++k) s.spawn(guide(k < 1 ? 1 : k < 3 ? 2 : 3));
      kept.push_back(unstarted());
    }
    co_await tare::sleep_for(50ms);
    auto read = [] { return tare::read_awaits(); };
    const tare::program_awaits known = co_await tare::offload(read);
    tare::snapshot_options options;
    options.awaits = &known.table;
    const tare::task_snapshot seen = co_await tare::snapshot(options);
    counts announced = truth(each);
    add_seen(seen, known, announced);
    // Not here: this task would count as running.
    auto tell = [&] { announce_and_wait(announced); };
    co_await tare::offload(tell);
  };
  co_await tare::with_scope(all);
}

}  // namespace awaiting

int main(int argc, char** argv) { tare::run(awaiting::everything(argc > 1 ? std::stoul(argv[1]) : 100)); }
